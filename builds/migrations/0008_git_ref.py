from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('builds', '0007_builds_by_state'),
    ]

    operations = [
        migrations.AddField(
            model_name='build',
            name='git_ref',
            field=models.CharField(editable=False, help_text='The first of them without refs/heads/ or refs/tags/, to find builds by.', max_length=255, null=True),
        ),
    ]
