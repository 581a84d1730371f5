import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('credentials', '0018_revoked_sessions'),
    ]

    operations = [
        migrations.CreateModel(
            name='HourlyCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField(help_text='When it begins.')),
                ('client_name', models.CharField(blank=True, max_length=64)),
                ('issued', models.PositiveIntegerField(default=0)),
                ('failed', models.PositiveIntegerField(default=0)),
                ('withheld', models.PositiveIntegerField(default=0)),
                ('refused', models.PositiveBigIntegerField(default=0)),
                ('client', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='credentials.client')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('client_name', '')), fields=['hour'], name='hour_of_everybody')],
                'constraints': [models.UniqueConstraint(fields=('hour', 'client_name'), name='hourly_count_once')],
            },
        ),
    ]
