from django.db import migrations

# The few that are open: no limit counts the others.
NOTE_CLIENTS = """
UPDATE builds_build SET registered_by = (
    SELECT client_id FROM credentials_registration r WHERE r.build_id = builds_build.id
) WHERE finished_at IS NULL AND deleted_at IS NULL AND superseded_at IS NULL
    AND open_until > CURRENT_TIMESTAMP AND registered_by IS NULL
"""


class Migration(migrations.Migration):

    dependencies = [
        ('builds', '0015_open_builds_of_a_client'),
        ('credentials', '0031_refused_tokens'),
    ]

    operations = [migrations.RunSQL(NOTE_CLIENTS, migrations.RunSQL.noop)]
