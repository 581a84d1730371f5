from django.db import migrations, models

from builds.online_migrations import AddIndex

Q = models.Q


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('builds', '0011_version_1_0_0'),
    ]

    operations = [
        AddIndex(
            model_name='build',
            index=models.Index(
                fields=['-id'],
                condition=Q(deleted_at=None)
                & (
                    Q(finished_at=None, superseded_at=None)
                    | Q(finished_at__isnull=False, counted_at=None)
                    | Q(written_without_session=True)
                ),
                name='build_unsettled',
            ),
        ),
    ]
