from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('builds', '0013_store_complete_in'),
    ]

    operations = [
        migrations.AddField(
            model_name='build',
            name='registered_by',
            field=models.PositiveBigIntegerField(editable=False, help_text='The number of its client: the open builds of one are counted by index.', null=True),
        ),
    ]
