from django.db import migrations
from django.db.models import F, Value
from django.db.models.functions import Replace

from builds.online_migrations import ValidateConstraint


def restore_policies(apps, schema_editor):
    """Write the texts back into the rows, template by template: the version before knows no other."""
    alias = schema_editor.connection.alias
    rows = apps.get_model("credentials", "IssuedSession").objects.using(alias)
    for template in apps.get_model("credentials", "PolicyTemplate").objects.using(alias).all():
        bucket = Replace(Value(template.text), Value("<b>"), F("bucket_name"))
        text = Replace(bucket, Value("<r>"), F("root"))
        compacted = rows.filter(policy_template=template)
        compacted.update(policy=text, policy_sha256="", policy_template=None)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("credentials", "0024_retention")]

    operations = [
        ValidateConstraint("issuedsession", "session_has_scope"),
        migrations.RunPython(migrations.RunPython.noop, restore_policies),
    ]
