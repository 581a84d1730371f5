from django.db import migrations, models

from builds.online_migrations import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('builds', '0008_git_ref'),
    ]

    operations = [
        AddIndex(
            model_name='build',
            index=models.Index(condition=models.Q(('git_ref__isnull', False)), fields=['git_ref', '-id'], name='build_by_git_ref'),
        ),
    ]
