from django.db import migrations, models

from builds.online_migrations import AddIndex

UNFINISHED = models.Q(deleted_at=None, finished_at=None, superseded_at=None)
UNCOUNTED = models.Q(counted_at=None, deleted_at=None, finished_at__isnull=False)
FOREIGN = models.Q(deleted_at=None, written_without_session=True)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('builds', '0006_builds_by_slug'),
    ]

    operations = [
        AddIndex(
            model_name='build',
            index=models.Index(fields=['-id'], condition=condition, name=name),
        )
        for name, condition in (
            ('build_unfinished', UNFINISHED),
            ('build_uncounted', UNCOUNTED),
            ('build_foreign', FOREIGN),
        )
    ]
