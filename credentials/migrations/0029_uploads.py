from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('credentials', '0028_version_1_0_0'),
    ]

    operations = [
        migrations.AlterField(
            model_name='issuedsession',
            name='delivery',
            field=models.CharField(choices=[('json', 'JSON answer'), ('container', 'container credentials'), ('process', 'credential_process'), ('post', 'presigned POSTs'), ('url', 'presigned URLs'), ('upload', 'upload through this service'), ('list', 'inside: listing'), ('probe', 'inside: check of isolation'), ('clean', 'inside: removing'), ('verify', 'inside: check of a revocation')], max_length=10),
        ),
    ]
