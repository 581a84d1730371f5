from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('credentials', '0006_deliveries_named'),
    ]

    operations = [
        migrations.AddField(
            model_name='isolationrun',
            name='with_sync',
            field=models.BooleanField(null=True, verbose_name='sync products'),
        ),
    ]
