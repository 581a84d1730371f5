from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('credentials', '0007_isolation_with_sync'),
    ]

    operations = [
        migrations.CreateModel(
            name='Lease',
            fields=[
                ('name', models.CharField(max_length=128, primary_key=True, serialize=False)),
                ('token', models.CharField(max_length=26)),
                ('holder', models.CharField(max_length=255)),
                ('acquired_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('acquired_at'))), name='lease_expires_later')],
            },
        ),
    ]
