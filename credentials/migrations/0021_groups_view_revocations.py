from django.db import migrations

GROUPS = ("viewer", "operator", "administrator")


def let_groups_view(apps, schema_editor):
    """Revocations, to the groups that may look at sessions and were not changed in that."""
    alias = schema_editor.connection.alias
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    kind, _ = ContentType.objects.using(alias).get_or_create(
        app_label="credentials", model="revocation"
    )
    view, _ = Permission.objects.using(alias).get_or_create(
        content_type=kind, codename="view_revocation", defaults={"name": "Can view revocation"}
    )
    groups = apps.get_model("auth", "Group").objects.using(alias).filter(
        name__in=GROUPS, permissions__codename="view_issuedsession"
    )
    for group in groups:
        group.permissions.add(view)


class Migration(migrations.Migration):
    """Taking it back leaves the permission: nothing asks for it then."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("credentials", "0020_person_identity"),
    ]

    operations = [migrations.RunPython(let_groups_view, migrations.RunPython.noop)]
