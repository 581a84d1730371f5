from django.db import migrations, models

from builds.online_migrations import AddIndex, RemoveIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('builds', '0006_builds_by_slug'),
        ('credentials', '0009_issuers_are_disabled'),
    ]

    operations = [
        RemoveIndex(model_name='issuedsession', name='session_name'),
        RemoveIndex(model_name='issuedsession', name='session_of_client'),
        AddIndex(
            model_name='issuedsession',
            index=models.Index(fields=['token_name', '-id'], name='session_of_token'),
        ),
        AddIndex(
            model_name='issuedsession',
            index=models.Index(fields=['sts_request_id'], name='session_sts_request'),
        ),
    ]
