from django.db import migrations

GROUPS = ("viewer", "operator", "administrator")
# Model -> its name, and who may change it: acknowledge.
MODELS = {
    "jobrun": ("run", ()),
    "auditfinding": ("finding", ("operator", "administrator")),
}


def let_groups_view(apps, schema_editor):
    """Runs and findings, to the groups that may look at sessions and were not changed in that."""
    alias = schema_editor.connection.alias
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    groups = apps.get_model("auth", "Group").objects.using(alias).filter(
        name__in=GROUPS, permissions__codename="view_issuedsession"
    )
    for model, (name, changers) in MODELS.items():
        kind, _ = ContentType.objects.using(alias).get_or_create(
            app_label="credentials", model=model
        )
        view, change = (
            Permission.objects.using(alias).get_or_create(
                content_type=kind,
                codename=f"{act}_{model}",
                defaults={"name": f"Can {act} {name}"},
            )[0]
            for act in ("view", "change")
        )
        for group in groups:
            group.permissions.add(view, *[change] * (group.name in changers))


class Migration(migrations.Migration):
    """Taking it back leaves the permissions: nothing asks for them then."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("credentials", "0026_run_usage"),
    ]

    operations = [migrations.RunPython(let_groups_view, migrations.RunPython.noop)]
