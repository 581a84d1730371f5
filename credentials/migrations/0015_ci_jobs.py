import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('credentials', '0014_lists_by_key'),
    ]

    operations = [
        migrations.CreateModel(
            name='CiJob',
            fields=[
                ('job_token', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='ci_job', serialize=False, to='credentials.jobtoken')),
                ('repository', models.CharField(blank=True, max_length=255)),
                ('workflow', models.CharField(blank=True, max_length=255)),
                ('run_id', models.CharField(blank=True, max_length=255, verbose_name='run id')),
                ('run_number', models.CharField(blank=True, max_length=255)),
                ('job_id', models.CharField(blank=True, max_length=255, verbose_name='job id')),
                ('commit', models.CharField(blank=True, max_length=255)),
                ('ref', models.CharField(blank=True, max_length=255, verbose_name='branch or tag')),
            ],
            options={
                'verbose_name': 'CI job',
                'ordering': ['-job_token'],
                'indexes': [
                    models.Index(fields=['repository', '-job_token'], name='ci_job_repository'),
                    models.Index(fields=['workflow', '-job_token'], name='ci_job_workflow'),
                    models.Index(fields=['run_id', '-job_token'], name='ci_job_run_id'),
                    models.Index(fields=['run_number', '-job_token'], name='ci_job_run_number'),
                    models.Index(fields=['job_id', '-job_token'], name='ci_job_job_id'),
                    models.Index(fields=['commit', '-job_token'], name='ci_job_commit'),
                ],
            },
        ),
        migrations.AddField(
            model_name='issuedsession',
            name='caller_ip_hex',
            field=models.CharField(editable=False, help_text='The same as `networks.ip_hex` writes it: addresses of a network are a range.', max_length=32, null=True),
        ),
    ]
