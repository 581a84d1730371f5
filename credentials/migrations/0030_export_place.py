from django.db import migrations, models

GROUPS = ("viewer", "operator", "administrator")


def let_groups_view(apps, schema_editor):
    """Exports, to the groups that may look at sessions and were not changed in that."""
    alias = schema_editor.connection.alias
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.using(alias).get_or_create(
        app_label="credentials", model="ledgerexport"
    )
    view, _ = apps.get_model("auth", "Permission").objects.using(alias).get_or_create(
        content_type=kind,
        codename="view_ledgerexport",
        defaults={"name": "Can view ledger export"},
    )
    for group in apps.get_model("auth", "Group").objects.using(alias).filter(
        name__in=GROUPS, permissions__codename="view_issuedsession"
    ):
        group.permissions.add(view)


class Migration(migrations.Migration):
    """Taking it back leaves the permissions: nothing asks for them then."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("credentials", "0029_uploads"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="ledgerexport",
            options={"ordering": ["first_id"], "verbose_name": "ledger export"},
        ),
        migrations.AddField(
            model_name="ledgerexport",
            name="place",
            field=models.TextField(
                blank=True,
                db_default="",
                help_text="Host and directory, when it was written.",
                verbose_name="where",
            ),
        ),
        migrations.RunPython(let_groups_view, migrations.RunPython.noop),
    ]
