from django.db import migrations, models

from builds.online_migrations import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('builds', '0005_build_has_untyped_pages'),
    ]

    operations = [
        AddIndex(
            model_name='build',
            index=models.Index(fields=['slug', '-id'], name='build_by_slug'),
        ),
    ]
