import django.db.models.deletion
from django.db import migrations, models

from builds.online_migrations import AddConstraintForNewRows


class Migration(migrations.Migration):

    dependencies = [
        ('builds', '0009_builds_by_git_ref'),
        ('credentials', '0023_webhooks'),
    ]

    operations = [
        migrations.CreateModel(
            name='LedgerExport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('file_name', models.CharField(max_length=100, unique=True)),
                ('first_id', models.CharField(max_length=26, verbose_name='first ledger id')),
                ('last_id', models.CharField(max_length=26, verbose_name='last ledger id')),
                ('until', models.DateTimeField(help_text='Its sessions were over by then.')),
                ('row_count', models.PositiveBigIntegerField(default=0, verbose_name='rows')),
                ('sha256', models.CharField(blank=True, help_text='Of the file.', max_length=64, verbose_name='SHA-256')),
                ('begun_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('deleted_at', models.DateTimeField(help_text='When the last of its rows was deleted from the ledger.', null=True)),
            ],
            options={
                'ordering': ['first_id'],
            },
        ),
        migrations.AddConstraint(
            model_name='ledgerexport',
            constraint=models.CheckConstraint(condition=models.Q(('finished_at', None), models.Q(('sha256', ''), _negated=True), _connector='XOR'), name='export_finished_has_checksum'),
        ),
        migrations.AddConstraint(
            model_name='ledgerexport',
            constraint=models.CheckConstraint(condition=models.Q(('deleted_at', None), ('finished_at__isnull', False), _connector='OR'), name='export_deleted_after_finished'),
        ),
        migrations.CreateModel(
            name='PolicyTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField(unique=True)),
            ],
        ),
        migrations.AddField(
            model_name='issuedsession',
            name='policy_sha256',
            field=models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='SHA-256 of the policy'),
        ),
        migrations.AddField(
            model_name='issuedsession',
            name='policy_template',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='credentials.policytemplate'),
        ),
        migrations.RemoveConstraint(
            model_name='issuedsession',
            name='session_has_scope',
        ),
        AddConstraintForNewRows(
            model_name='issuedsession',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('root', ''), _negated=True), models.Q(('bucket_name', ''), _negated=True), models.Q(('policy', ''), ('policy_template', None), _connector='XOR'), models.Q(('policy', ''), ('policy_sha256', ''), _connector='XOR'), models.Q(models.Q(('policy', ''), _negated=True), models.Q(('status', 'requested'), _negated=True), _connector='OR')), name='session_has_scope'),
        ),
    ]
