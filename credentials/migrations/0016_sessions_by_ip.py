from django.db import migrations, models

from builds.online_migrations import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('credentials', '0015_ci_jobs'),
    ]

    operations = [
        AddIndex(
            model_name='issuedsession',
            index=models.Index(condition=models.Q(('caller_ip_hex__isnull', False)), fields=['caller_ip_hex', '-id'], name='session_of_caller_ip'),
        ),
    ]
