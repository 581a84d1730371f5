from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('credentials', '0030_export_place'),
    ]

    operations = [
        migrations.AddField(
            model_name='refusal',
            name='first_at',
            field=models.DateTimeField(help_text='Right to some seconds.', null=True),
        ),
        migrations.AddField(
            model_name='refusal',
            name='token_accepted',
            field=models.BooleanField(null=True, help_text='In at least one of the calls, so that its caller has the secret.'),
        ),
        migrations.AlterField(
            model_name='issuedsession',
            name='delivery',
            field=models.CharField(choices=[('json', 'credentials as JSON'), ('container', 'container credentials'), ('process', 'credential_process'), ('post', 'presigned POSTs'), ('url', 'presigned URLs'), ('upload', 'upload through this service'), ('list', 'this service itself, to list'), ('probe', 'this service itself, to check isolation'), ('clean', 'this service itself, to remove objects'), ('verify', 'this service itself, to check a revocation')], max_length=10),
        ),
        migrations.AlterField(
            model_name='revocation',
            name='state',
            field=models.CharField(choices=[('requested', 'requested'), ('written', 'written'), ('verified', 'verified'), ('failed', 'failed')], default='requested', max_length=9),
        ),
    ]
