import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('builds', '0009_builds_by_git_ref'),
        ('credentials', '0021_groups_view_revocations'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='JobRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job', models.CharField(help_text='The name of its command.', max_length=64)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True, verbose_name='ended at')),
                ('state', models.CharField(choices=[('running', 'Running'), ('finished', 'Finished'), ('failed', 'Failed'), ('interrupted', 'Interrupted')], default='running', max_length=11)),
                ('holder', models.CharField(max_length=255, verbose_name='host and process')),
                ('looked_at', models.JSONField(default=dict)),
                ('coverage', models.JSONField(default=list)),
                ('errors', models.PositiveIntegerField(default=0)),
                ('warnings', models.PositiveIntegerField(default=0)),
                ('new', models.PositiveIntegerField(default=0, help_text='Findings that it saw first, or that had been gone.')),
                ('problem', models.TextField(blank=True, help_text='What went wrong.')),
                ('started_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('store', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='job_runs', to='builds.store')),
            ],
            options={
                'verbose_name': 'run',
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='AuditFinding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('fingerprint', models.CharField(max_length=64, unique=True)),
                ('job', models.CharField(max_length=64)),
                ('rule', models.CharField(max_length=64)),
                ('subject', models.TextField()),
                ('severity', models.CharField(choices=[('error', 'error'), ('warning', 'warning')], max_length=7)),
                ('what', models.TextField()),
                ('change', models.TextField(blank=True, verbose_name='what to do')),
                ('why', models.TextField(blank=True)),
                ('is_event', models.BooleanField(default=False)),
                ('access_key_id', models.TextField(blank=True, verbose_name='access key id')),
                ('first_seen_at', models.DateTimeField()),
                ('last_seen_at', models.DateTimeField()),
                ('times', models.PositiveIntegerField(default=1, help_text='How many runs saw it.')),
                ('closed_at', models.DateTimeField(null=True)),
                ('acknowledged_at', models.DateTimeField(null=True)),
                ('acknowledged_by', models.CharField(blank=True, help_text="A user's name, as it was then.", max_length=150)),
                ('acknowledged_until', models.DateTimeField(blank=True, help_text='Until then it is known and accepted: no job fails for it.', null=True)),
                ('acknowledged_note', models.CharField(blank=True, max_length=255, verbose_name='note')),
                ('is_unsent', models.BooleanField(default=False, help_text='A mail about it is due.')),
                ('build', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='findings', to='builds.build')),
                ('session', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='findings', to='credentials.issuedsession')),
                ('store', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='findings', to='builds.store')),
                ('first_run', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='credentials.jobrun')),
                ('last_run', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='credentials.jobrun')),
            ],
            options={
                'verbose_name': 'finding',
                'ordering': ['-id'],
            },
        ),
        migrations.AddIndex(
            model_name='jobrun',
            index=models.Index(fields=['job', 'store', '-id'], name='run_last_of_job'),
        ),
        migrations.AddIndex(
            model_name='jobrun',
            index=models.Index(condition=models.Q(('store__isnull', False)), fields=['store'], name='run_of_store'),
        ),
        migrations.AddConstraint(
            model_name='jobrun',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('state', 'running')), models.Q(('finished_at__isnull', False), ('state__in', ['finished', 'failed', 'interrupted'])), _connector='OR'), name='run_state_has_its_time'),
        ),
        migrations.AddConstraint(
            model_name='jobrun',
            constraint=models.CheckConstraint(condition=models.Q(('problem', ''), ('state', 'failed'), _negated=True), name='run_failure_has_problem'),
        ),
        migrations.AddIndex(
            model_name='auditfinding',
            index=models.Index(condition=models.Q(('closed_at', None)), fields=['-id'], name='finding_open'),
        ),
        migrations.AddIndex(
            model_name='auditfinding',
            index=models.Index(condition=models.Q(('closed_at', None)), fields=['job', 'store', 'last_run'], name='finding_open_of_job'),
        ),
        migrations.AddIndex(
            model_name='auditfinding',
            index=models.Index(condition=models.Q(('is_unsent', True)), fields=['job'], name='finding_unsent'),
        ),
        migrations.AddIndex(
            model_name='auditfinding',
            index=models.Index(condition=models.Q(('store__isnull', False)), fields=['store'], name='finding_of_store'),
        ),
        migrations.AddIndex(
            model_name='auditfinding',
            index=models.Index(condition=models.Q(('session__isnull', False)), fields=['session'], name='finding_of_session'),
        ),
        migrations.AddIndex(
            model_name='auditfinding',
            index=models.Index(condition=models.Q(('build__isnull', False)), fields=['build'], name='finding_of_build'),
        ),
        migrations.AddIndex(
            model_name='auditfinding',
            index=models.Index(condition=models.Q(('access_key_id', ''), _negated=True), fields=['access_key_id'], name='finding_of_key'),
        ),
        migrations.AddConstraint(
            model_name='auditfinding',
            constraint=models.CheckConstraint(condition=models.Q(('severity__in', ['error', 'warning'])), name='finding_severity_known'),
        ),
        migrations.AddConstraint(
            model_name='auditfinding',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('acknowledged_at', None), ('acknowledged_by', ''), ('acknowledged_note', ''), ('acknowledged_until', None)), models.Q(('acknowledged_until__gt', models.F('acknowledged_at')), models.Q(('acknowledged_by', ''), _negated=True), models.Q(('acknowledged_note', ''), _negated=True)), _connector='OR'), name='finding_acknowledged_with_note_and_end'),
        ),
        migrations.AddConstraint(
            model_name='auditfinding',
            constraint=models.CheckConstraint(condition=models.Q(('last_seen_at__gte', models.F('first_seen_at')), ('times__gte', 1)), name='finding_seen_in_order'),
        ),
    ]
