from django.db import migrations, models

from builds.online_migrations import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('builds', '0014_build_registered_by'),
    ]

    operations = [
        AddIndex(
            model_name='build',
            index=models.Index(
                fields=['registered_by', 'open_until'],
                condition=models.Q(finished_at=None, deleted_at=None, superseded_at=None),
                name='build_open_by',
            ),
        ),
    ]
