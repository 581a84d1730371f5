import django.db.models.deletion
from django.db import migrations, models

from builds.online_migrations import AddConstraintForNewRows


class Migration(migrations.Migration):

    dependencies = [
        ('builds', '0009_builds_by_git_ref'),
        ('credentials', '0016_sessions_by_ip'),
    ]

    operations = [
        migrations.CreateModel(
            name='Revocation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('session', 'session'), ('build', 'build'), ('job_token', 'job token'), ('api_key', 'API key'), ('client', 'client'), ('product', 'product'), ('store', 'store')], max_length=10)),
                ('target_name', models.CharField(max_length=255, verbose_name='target')),
                ('before', models.DateTimeField(help_text='Sessions issued up to here were meant. Empty: all of them.', null=True)),
                ('reason', models.CharField(max_length=255)),
                ('requested_by', models.CharField(help_text="A user's name, as it was then.", max_length=150)),
                ('requested_at', models.DateTimeField()),
                ('may_go_on', models.BooleanField(default=False, help_text='Yes: what asked for the sessions may ask for new ones.')),
                ('session_count', models.PositiveIntegerField(default=0, verbose_name='sessions')),
                ('ends_at', models.DateTimeField(help_text="When the last session that it covers would have ended by itself: from then on it is no longer in the store's policy.")),
                ('state', models.CharField(choices=[('requested', 'Requested'), ('written', 'Written'), ('verified', 'Verified'), ('failed', 'Failed')], default='requested', max_length=9)),
                ('written_at', models.DateTimeField(null=True)),
                ('verified_at', models.DateTimeField(null=True)),
                ('failed_at', models.DateTimeField(null=True)),
                ('problem', models.TextField(blank=True, help_text='What failed, and what to do about it.')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.AlterModelOptions(
            name='issuedsession',
            options={'ordering': ['-id'], 'permissions': [('revoke_issuedsession', 'Can revoke sessions')]},
        ),
        migrations.RemoveConstraint(
            model_name='issuedsession',
            name='session_named_by_id',
        ),
        migrations.AddField(
            model_name='issuedsession',
            name='revoked_at',
            field=models.DateTimeField(help_text='When somebody decided so. The revocation says what the store does.', null=True),
        ),
        migrations.AlterField(
            model_name='issuedsession',
            name='delivery',
            field=models.CharField(choices=[('json', 'JSON answer'), ('container', 'container credentials'), ('process', 'credential_process'), ('post', 'presigned POSTs'), ('url', 'presigned URLs'), ('list', 'inside: listing'), ('probe', 'inside: check of isolation'), ('clean', 'inside: removing'), ('verify', 'inside: check of a revocation')], max_length=10),
        ),
        migrations.AddField(
            model_name='revocation',
            name='store',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='revocations', to='builds.store'),
        ),
        migrations.AddField(
            model_name='issuedsession',
            name='revocation',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to='credentials.revocation'),
        ),
        AddConstraintForNewRows(
            model_name='issuedsession',
            constraint=models.CheckConstraint(condition=models.Q(('session_name__startswith', models.F('id')), ('delivery', 'verify'), _connector='OR'), name='session_named_by_id'),
        ),
        AddConstraintForNewRows(
            model_name='issuedsession',
            constraint=models.CheckConstraint(condition=models.Q(('revoked_at', None), ('revocation__isnull', False), _connector='XOR'), name='session_revoked_by_decision'),
        ),
        migrations.AddIndex(
            model_name='revocation',
            index=models.Index(fields=['store', 'ends_at'], name='revocation_in_force'),
        ),
        migrations.AddConstraint(
            model_name='revocation',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['session', 'build', 'job_token', 'api_key', 'client', 'product', 'store'])), name='revocation_kind_known'),
        ),
        migrations.AddConstraint(
            model_name='revocation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('failed_at', None), ('state', 'requested'), ('verified_at', None), ('written_at', None)), models.Q(('failed_at', None), ('state', 'written'), ('verified_at', None), ('written_at__isnull', False)), models.Q(('failed_at', None), ('state', 'verified'), ('verified_at__isnull', False), ('written_at__isnull', False)), models.Q(('failed_at__isnull', False), ('state', 'failed'), ('verified_at', None)), _connector='OR'), name='revocation_state_has_its_time'),
        ),
        migrations.AddConstraint(
            model_name='revocation',
            constraint=models.CheckConstraint(condition=models.Q(('state', 'failed'), ('problem', ''), _connector='XOR'), name='revocation_failure_has_problem'),
        ),
        migrations.AddConstraint(
            model_name='revocation',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='revocation_has_reason'),
        ),
        migrations.AddConstraint(
            model_name='revocation',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'store'), _negated=True), ('before__isnull', False), _connector='OR'), name='revocation_of_store_has_time'),
        ),
        migrations.AddConstraint(
            model_name='revocation',
            constraint=models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('requested_at'))), name='revocation_ends_later'),
        ),
    ]
