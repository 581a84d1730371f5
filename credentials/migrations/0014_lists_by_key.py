import django.db.models.deletion
from django.db import migrations, models

from builds.online_migrations import AddIndex, AlterFieldIndex

IN_VAIN = models.Q(status__in=['failed', 'withheld'])


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('builds', '0007_builds_by_state'),
        ('credentials', '0013_groups'),
    ]

    operations = [
        AddIndex('issuedsession', models.Index(fields=['store', '-id'], name='session_of_store')),
        AddIndex('issuedsession', models.Index(fields=['build', '-id'], name='session_of_build')),
        AddIndex('issuedsession', models.Index(fields=['client', '-id'], name='session_of_client')),
        AddIndex('jobtoken', models.Index(fields=['client', '-id'], name='job_token_of_client')),
        AddIndex(
            'issuedsession',
            models.Index(fields=['status', '-id'], condition=IN_VAIN, name='session_in_vain'),
        ),
        AlterFieldIndex('issuedsession', 'store', models.ForeignKey(
            db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL,
            related_name='+', to='builds.store',
        )),
        AlterFieldIndex('issuedsession', 'build', models.ForeignKey(
            db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL,
            related_name='issued_sessions', to='builds.build',
        )),
        AlterFieldIndex('issuedsession', 'client', models.ForeignKey(
            db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL,
            related_name='issued_sessions', to='credentials.client',
        )),
        AlterFieldIndex('jobtoken', 'client', models.ForeignKey(
            db_index=False, on_delete=django.db.models.deletion.PROTECT,
            related_name='job_tokens', to='credentials.client',
        )),
    ]
