import credentials.models.outbox
import credentials.models.sessions
import credentials.models.validators
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


# What each group may, beyond the group before it.
RIGHTS = {
    "viewer": {
        "builds": ("view_store", "view_product", "view_build"),
        "credentials": (
            "view_client", "view_apikey", "view_jobtoken", "view_isolationrun",
            "view_issuedsession", "view_oidcissuer", "view_trustedpublisher", "view_refusal",
            "view_revocation", "view_jobrun", "view_auditfinding", "view_webhook",
            "view_webhookdelivery",
        ),
    },
    "operator": {
        "credentials": (
            "revoke_issuedsession", "add_isolationrun", "change_auditfinding",
            "resend_webhookdelivery",
        ),
    },
    "administrator": {
        "builds": (
            "add_store", "change_store", "delete_store", "add_product", "change_product",
            "delete_product", "change_build",
        ),
        "credentials": (
            "add_client", "change_client", "view_grant", "add_grant", "change_grant",
            "delete_grant", "add_apikey", "change_apikey", "change_jobtoken", "add_oidcissuer",
            "change_oidcissuer", "delete_oidcissuer", "add_trustedpublisher",
            "change_trustedpublisher", "add_webhook", "change_webhook",
        ),
        "auth": ("view_user", "add_user", "change_user", "view_group"),
    },
}
NAMES = {
    "revoke_issuedsession": "Can revoke sessions",
    "resend_webhookdelivery": "Can send dead letters again",
}


def add_groups(apps, schema_editor):
    """A group of that name that is there already is somebody's own, and stays as it is."""
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    rights = []
    for name, added in RIGHTS.items():
        rights += [
            _permission(apps, schema_editor, app, codename)
            for app, codenames in added.items()
            for codename in codenames
        ]
        group, made = groups.get_or_create(name=name)
        if made:
            group.permissions.set(rights)


def _permission(apps, schema_editor, app, codename):
    """Named as Django names it, which makes those of a model after all migrations."""
    alias = schema_editor.connection.alias
    act, _, model = codename.partition("_")
    kinds = apps.get_model("contenttypes", "ContentType").objects.using(alias)
    kind, _ = kinds.get_or_create(app_label=app, model=model)
    words = apps.get_model(app, model)._meta.verbose_name_raw
    found, _ = apps.get_model("auth", "Permission").objects.using(alias).get_or_create(
        content_type=kind,
        codename=codename,
        defaults={"name": NAMES.get(codename) or f"Can {act} {words}"},
    )
    return found


class Migration(migrations.Migration):
    """The schema of version 1.0.0 and its groups at once, for new databases: migrating takes half
    the time. Taking it back leaves the groups: somebody may be in one.
    """

    replaces = [
        ('credentials', '0001_initial'),
        ('credentials', '0002_jobs_and_publishers'),
        ('credentials', '0003_isolation_is_of_a_place'),
        ('credentials', '0004_presigning'),
        ('credentials', '0005_look_tokens_up_by_hash'),
        ('credentials', '0006_deliveries_named'),
        ('credentials', '0007_isolation_with_sync'),
        ('credentials', '0008_one_run_at_a_time'),
        ('credentials', '0009_issuers_are_disabled'),
        ('credentials', '0010_sessions_by_token_and_request'),
        ('credentials', '0011_names'),
        ('credentials', '0012_refusals'),
        ('credentials', '0013_groups'),
        ('credentials', '0014_lists_by_key'),
        ('credentials', '0015_ci_jobs'),
        ('credentials', '0016_sessions_by_ip'),
        ('credentials', '0017_revocations'),
        ('credentials', '0018_revoked_sessions'),
        ('credentials', '0019_hourly_counts'),
        ('credentials', '0020_person_identity'),
        ('credentials', '0021_groups_view_revocations'),
        ('credentials', '0022_audits'),
        ('credentials', '0023_webhooks'),
        ('credentials', '0024_retention'),
        ('credentials', '0025_policy_or_template'),
        ('credentials', '0026_run_usage'),
        ('credentials', '0027_groups_view_audits'),
        ('credentials', '0028_help_texts'),
    ]

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('builds', '0011_version_1_0_0'),
        ('contenttypes', '0002_remove_content_type_name'),
    ]

    operations = [
        migrations.CreateModel(
            name='Client',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='Uploaders send it as their user name.', max_length=64, unique=True, validators=[django.core.validators.RegexValidator('^[a-zA-Z0-9][a-zA-Z0-9._-]*\\Z', "Letters, digits, '.', '_' and '-'.")])),
                ('is_active', models.BooleanField(default=True, help_text='No: its next call is refused, whatever token it uses. The actions of the list change this.')),
                ('may_create_products', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('name__regex', '^[a-zA-Z0-9][a-zA-Z0-9._-]*\\Z')), name='client_name_legal')],
            },
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('label', models.CharField(blank=True, help_text='Where it is used.', max_length=64)),
                ('public_id', models.CharField(editable=False, max_length=12, unique=True)),
                ('secret_sha256', models.CharField(editable=False, max_length=64)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('expires_at', models.DateTimeField(blank=True, help_text='Empty: never. The audit names keys without an expiry.', null=True)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='api_keys', to='credentials.client')),
                ('all_products', models.BooleanField(default=True, help_text='Ticked: all products of the client. Unticked: only those named below, of those the client is granted.')),
                ('last_used_at', models.DateTimeField(blank=True, editable=False, help_text='Right to the minute.', null=True)),
                ('networks', models.JSONField(blank=True, default=list, help_text='A list of networks such as ["192.0.2.0/24", "2001:db8::/32"]: the key, and every token requested with it, is accepted from there only. Empty: from everywhere.', validators=[credentials.models.validators.validate_networks])),
                ('products', models.ManyToManyField(blank=True, related_name='+', to='builds.product')),
                ('revoked_at', models.DateTimeField(blank=True, db_column='withdrawn_at', editable=False, null=True)),
            ],
            options={
                'verbose_name': 'API key',
                'indexes': [models.Index(fields=['secret_sha256'], name='api_key_by_secret')],
                'constraints': [models.CheckConstraint(condition=models.Q(('secret_sha256__regex', '^[0-9a-f]{64}\\Z')), name='api_key_hashed')],
            },
        ),
        migrations.CreateModel(
            name='Grant',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='credentials.client')),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='grants', to='builds.product')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('client', 'product'), name='grant_once')],
            },
        ),
        migrations.CreateModel(
            name='IsolationRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('requested_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('passed', models.BooleanField(null=True)),
                ('summary', models.TextField(blank=True)),
                ('lines', models.JSONField(default=list)),
                ('requested_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='isolation_runs', to='builds.store')),
                ('bucket', models.CharField(blank=True, max_length=63)),
                ('endpoint_url', models.CharField(blank=True, max_length=255)),
                ('role_arn', models.CharField(blank=True, max_length=255)),
                ('with_sync', models.BooleanField(null=True, verbose_name='sync products')),
            ],
            options={
                'verbose_name': 'isolation check',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['store', '-finished_at'], name='isolation_last')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('passed', None)), models.Q(('finished_at__isnull', False), ('passed__isnull', False)), _connector='OR'), name='isolation_finished_has_verdict')],
            },
        ),
        migrations.CreateModel(
            name='OidcIssuer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('github', 'GitHub Actions'), ('gitlab', 'GitLab CI'), ('other', 'another')], max_length=8)),
                ('issuer', models.CharField(blank=True, help_text='The `iss` claim, exactly as it is signed. Empty: that of github.com or gitlab.com. A GitLab of your own: its address, such as https://gitlab.example.org.', max_length=255, unique=True)),
                ('jwks_url', models.CharField(blank=True, help_text='Where its public keys are. Empty: where GitHub and GitLab have them.', max_length=255, verbose_name='JWKS address')),
                ('identifying_claims', models.JSONField(blank=True, default=list, help_text='For another issuer: a list of the claims, such as ["organization_id", "pipeline_id"], that permanently identify a project, the most specific first. Every rule must name them. Not `sub`, and no names that someone else can take later.', validators=[credentials.models.validators.validate_claim_names])),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('is_active', models.BooleanField(default=True, help_text='No: none of its rules accepts any job. The actions of the list change this; disabling disables its rules as well, enabling enables none of them.')),
            ],
            options={
                'verbose_name': 'OIDC issuer',
                'constraints': [models.CheckConstraint(condition=models.Q(('jwks_url__startswith', 'https://')), name='oidc_issuer_keys_over_tls')],
            },
        ),
        migrations.CreateModel(
            name='TrustedPublisher',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='A description for people: which jobs it accepts.', max_length=64)),
                ('conditions', models.JSONField(default=dict)),
                ('is_active', models.BooleanField(default=True, help_text='No: it accepts no job, and tokens issued through it are refused. The actions of the list change this.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='publishers', to='credentials.client')),
                ('issuer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='publishers', to='credentials.oidcissuer')),
                ('products', models.ManyToManyField(help_text='Jobs may upload to those of these that the client is granted.', related_name='+', to='builds.product')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('conditions', {}), _negated=True), name='trusted_publisher_has_conditions')],
            },
        ),
        migrations.CreateModel(
            name='JobToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('identity', models.CharField(blank=True, help_text='What the CI provider called the job, for people; nothing is decided by it.', max_length=255)),
                ('public_id', models.CharField(max_length=12, unique=True)),
                ('secret_sha256', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('api_key', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='job_tokens', to='credentials.apikey')),
                ('client', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='job_tokens', to='credentials.client')),
                ('publisher', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='job_tokens', to='credentials.trustedpublisher')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['secret_sha256'], name='job_token_by_secret'), models.Index(fields=['client', '-id'], name='job_token_of_client')],
                'constraints': [models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at'))), name='job_token_expires'), models.CheckConstraint(condition=models.Q(('api_key', None), ('publisher', None), _connector='XOR'), name='job_token_has_one_origin')],
            },
        ),
        migrations.CreateModel(
            name='UsedIdentityToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('one_time_id', models.CharField(help_text='SHA-256 of the issuer and `jti`, or of the signed text where there is none.', max_length=64, unique=True)),
                ('expires_at', models.DateTimeField(db_index=True)),
            ],
        ),
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
        migrations.CreateModel(
            name='AccessToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.CharField(max_length=12, unique=True)),
                ('secret_sha256', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('api_key', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to='credentials.apikey')),
            ],
            options={
                'indexes': [models.Index(fields=['secret_sha256'], name='key_session_by_secret')],
                'constraints': [models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at'))), name='key_session_expires')],
                'db_table': 'credentials_keysession',
            },
        ),
        migrations.CreateModel(
            name='JobProduct',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('current_build', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='builds.build')),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='builds.product')),
                ('job_token', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='grants', to='credentials.jobtoken')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('job_token', 'product'), name='job_grant_once')],
                'db_table': 'credentials_jobgrant',
            },
        ),
        migrations.CreateModel(
            name='BuildOwner',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token_name', models.CharField(max_length=64)),
                ('build', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='registration', to='builds.build')),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='registrations', to='credentials.client')),
                ('job_token', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='registrations', to='credentials.jobtoken')),
            ],
            options={
                'db_table': 'credentials_registration',
            },
        ),
        migrations.CreateModel(
            name='Refusal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField()),
                ('network', models.CharField(help_text="IPv6: the /64 network. 'other' where there were too many in the hour.", max_length=43, verbose_name='address')),
                ('reason', models.CharField(help_text='The code of the response.', max_length=64)),
                ('token_name', models.CharField(blank=True, max_length=64, verbose_name='token')),
                ('product_slug', models.CharField(blank=True, max_length=63, verbose_name='product')),
                ('calls', models.PositiveBigIntegerField()),
                ('last_at', models.DateTimeField()),
                ('client', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='refusals', to='credentials.client')),
            ],
            options={
                'verbose_name_plural': 'refused calls',
                'ordering': ['-hour', '-id'],
                'indexes': [models.Index(fields=['network', 'hour'], name='refusal_by_network'), models.Index(fields=['client', 'hour'], name='refusal_by_client')],
                'constraints': [models.UniqueConstraint(fields=('hour', 'network', 'reason', 'token_name', 'product_slug'), name='refusal_once')],
            },
        ),
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
                'indexes': [models.Index(fields=['repository', '-job_token'], name='ci_job_repository'), models.Index(fields=['workflow', '-job_token'], name='ci_job_workflow'), models.Index(fields=['run_id', '-job_token'], name='ci_job_run_id'), models.Index(fields=['run_number', '-job_token'], name='ci_job_run_number'), models.Index(fields=['job_id', '-job_token'], name='ci_job_job_id'), models.Index(fields=['commit', '-job_token'], name='ci_job_commit')],
            },
        ),
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
                ('may_go_on', models.BooleanField(default=False, help_text='Yes: the credential that requested the sessions may request new ones.')),
                ('session_count', models.PositiveIntegerField(default=0, verbose_name='sessions')),
                ('ends_at', models.DateTimeField(help_text="When the last session that it covers would have ended by itself: from then on it is no longer in the store's policy.")),
                ('state', models.CharField(choices=[('requested', 'Requested'), ('written', 'Written'), ('verified', 'Verified'), ('failed', 'Failed')], default='requested', max_length=9)),
                ('written_at', models.DateTimeField(null=True)),
                ('verified_at', models.DateTimeField(null=True)),
                ('failed_at', models.DateTimeField(null=True)),
                ('problem', models.TextField(blank=True, help_text='What failed, and what to do about it.')),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='revocations', to='builds.store')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['store', 'ends_at'], name='revocation_in_force')],
                'constraints': [models.CheckConstraint(condition=models.Q(('kind__in', ['session', 'build', 'job_token', 'api_key', 'client', 'product', 'store'])), name='revocation_kind_known'), models.CheckConstraint(condition=models.Q(models.Q(('failed_at', None), ('state', 'requested'), ('verified_at', None), ('written_at', None)), models.Q(('failed_at', None), ('state', 'written'), ('verified_at', None), ('written_at__isnull', False)), models.Q(('failed_at', None), ('state', 'verified'), ('verified_at__isnull', False), ('written_at__isnull', False)), models.Q(('failed_at__isnull', False), ('state', 'failed'), ('verified_at', None)), _connector='OR'), name='revocation_state_has_its_time'), models.CheckConstraint(condition=models.Q(('state', 'failed'), ('problem', ''), _connector='XOR'), name='revocation_failure_has_problem'), models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='revocation_has_reason'), models.CheckConstraint(condition=models.Q(models.Q(('kind', 'store'), _negated=True), ('before__isnull', False), _connector='OR'), name='revocation_of_store_has_time'), models.CheckConstraint(condition=models.Q(('ends_at__gt', models.F('requested_at'))), name='revocation_ends_later')],
            },
        ),
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
        migrations.CreateModel(
            name='PersonIdentity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('issuer', models.CharField(max_length=255)),
                ('subject', models.CharField(max_length=255)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='identity', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'person identities',
                'constraints': [models.UniqueConstraint(fields=('issuer', 'subject'), name='person_once')],
            },
        ),
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
                ('usage', models.JSONField(help_text='What a bucket holds: folder of a product -> objects and bytes.', null=True)),
            ],
            options={
                'verbose_name': 'run',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['job', 'store', '-id'], name='run_last_of_job'), models.Index(condition=models.Q(('store__isnull', False)), fields=['store'], name='run_of_store')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('state', 'running')), models.Q(('finished_at__isnull', False), ('state__in', ['finished', 'failed', 'interrupted'])), _connector='OR'), name='run_state_has_its_time'), models.CheckConstraint(condition=models.Q(('problem', ''), ('state', 'failed'), _negated=True), name='run_failure_has_problem')],
            },
        ),
        migrations.CreateModel(
            name='Webhook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, unique=True)),
                ('url', models.CharField(help_text='https://host/path. A path or query that must stay secret is shown only to those who may change webhooks.', max_length=500, validators=[credentials.models.validators.validate_webhook_url], verbose_name='address')),
                ('kinds', models.JSONField(blank=True, default=list, help_text='None ticked: all.')),
                ('is_active', models.BooleanField(default=True, verbose_name='active')),
                ('seed', models.CharField(default=credentials.models.outbox.new_seed, editable=False, max_length=26)),
                ('former_seed', models.CharField(blank=True, editable=False, max_length=26)),
                ('secret_changed_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('gone_at', models.DateTimeField(editable=False, help_text='When it responded 410 Gone and was disabled for that.', null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('products', models.ManyToManyField(blank=True, help_text='Only what is about these. Empty: everything.', related_name='+', to='builds.product')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.CharField(max_length=26, verbose_name='event')),
                ('kind', models.CharField(choices=[('build.registered', 'build.registered'), ('build.finished', 'build.finished'), ('build.deleted', 'build.deleted'), ('build.superseded', 'build.superseded'), ('session.revoked', 'session.revoked'), ('finding.opened', 'finding.opened'), ('webhook.test', 'webhook.test')], max_length=32)),
                ('subject', models.CharField(max_length=300)),
                ('body', models.TextField()),
                ('created_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('delivered', 'delivered'), ('dead', 'dead letter')], default='waiting', max_length=9)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('last_attempt_at', models.DateTimeField(null=True, verbose_name='last attempt')),
                ('next_attempt_at', models.DateTimeField(verbose_name='next attempt')),
                ('give_up_at', models.DateTimeField(help_text='A delivery that fails after that becomes a dead letter.')),
                ('last_status', models.PositiveSmallIntegerField(null=True, verbose_name='HTTP status')),
                ('last_problem', models.CharField(blank=True, max_length=32, verbose_name='problem')),
                ('webhook', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='credentials.webhook')),
            ],
            options={
                'verbose_name_plural': 'webhook deliveries',
                'ordering': ['-id'],
                'permissions': [('resend_webhookdelivery', 'Can send dead letters again')],
                'indexes': [models.Index(fields=['webhook', '-id'], name='delivery_by_webhook'), models.Index(condition=models.Q(('state', 'waiting')), fields=['webhook', 'id'], name='delivery_queue'), models.Index(condition=models.Q(('state', 'waiting')), fields=['webhook', 'subject', 'id'], name='delivery_order'), models.Index(condition=models.Q(('state', 'waiting')), fields=['next_attempt_at'], name='delivery_due'), models.Index(condition=models.Q(('state', 'dead')), fields=['-id'], name='delivery_dead')],
                'constraints': [models.UniqueConstraint(fields=('event_id', 'webhook'), name='delivery_once'), models.CheckConstraint(condition=models.Q(('state__in', ['waiting', 'delivered', 'dead'])), name='delivery_state_known')],
            },
        ),
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
                'constraints': [models.CheckConstraint(condition=models.Q(('finished_at', None), models.Q(('sha256', ''), _negated=True), _connector='XOR'), name='export_finished_has_checksum'), models.CheckConstraint(condition=models.Q(('deleted_at', None), ('finished_at__isnull', False), _connector='OR'), name='export_deleted_after_finished')],
            },
        ),
        migrations.CreateModel(
            name='PolicyTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField(unique=True)),
            ],
        ),
        migrations.CreateModel(
            name='IssuedSession',
            fields=[
                ('id', models.CharField(default=credentials.models.sessions.new_ledger_id, editable=False, max_length=26, primary_key=True, serialize=False, verbose_name='ledger id')),
                ('status', models.CharField(choices=[('requested', 'Requested'), ('issued', 'Issued'), ('failed', 'Failed'), ('withheld', 'Withheld')], default='requested', max_length=10)),
                ('failure_code', models.CharField(blank=True, max_length=64)),
                ('delivery', models.CharField(choices=[('json', 'JSON answer'), ('container', 'container credentials'), ('process', 'credential_process'), ('post', 'presigned POSTs'), ('url', 'presigned URLs'), ('list', 'inside: listing'), ('probe', 'inside: check of isolation'), ('clean', 'inside: removing'), ('verify', 'inside: check of a revocation')], max_length=10)),
                ('store_name', models.CharField(max_length=50)),
                ('product_slug', models.CharField(max_length=63)),
                ('build_slug', models.CharField(max_length=64)),
                ('client_name', models.CharField(max_length=64)),
                ('token_name', models.CharField(max_length=64)),
                ('bucket_name', models.CharField(max_length=63)),
                ('root', models.CharField(max_length=135)),
                ('policy', models.TextField()),
                ('duration_seconds', models.PositiveIntegerField()),
                ('role_arn', models.CharField(max_length=255, verbose_name='role ARN')),
                ('session_name', models.CharField(max_length=64)),
                ('access_key_id', models.CharField(blank=True, max_length=128, verbose_name='access key id')),
                ('assumed_role_id', models.CharField(blank=True, max_length=193, verbose_name='assumed-role id')),
                ('packed_policy_percent', models.PositiveIntegerField(null=True, verbose_name='packed policy size (%)')),
                ('sts_request_id', models.CharField(blank=True, max_length=128, verbose_name='STS request id')),
                ('caller_address', models.CharField(blank=True, max_length=45)),
                ('caller_agent', models.CharField(blank=True, max_length=255)),
                ('requested_at', models.DateTimeField()),
                ('completed_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('build', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='issued_sessions', to='builds.build')),
                ('client', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='issued_sessions', to='credentials.client')),
                ('store', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='builds.store')),
                ('last_served_at', models.DateTimeField(help_text='When it was last served again from memory, right to the minute.', null=True)),
                ('signed_by_identity', models.BooleanField(default=False, help_text="Not a session: the store's POST-signing identity signed, with the key named here. What it signed cannot be revoked one by one, only with that key.")),
                ('caller_ip_hex', models.CharField(editable=False, help_text='The same as `networks.ip_hex` writes it: addresses of a network are a range.', max_length=32, null=True)),
                ('revoked_at', models.DateTimeField(help_text='When this was decided. The revocation says whether the store refuses it.', null=True)),
                ('revocation', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='sessions', to='credentials.revocation')),
                ('policy_sha256', models.CharField(blank=True, db_default='', default='', max_length=64, verbose_name='SHA-256 of the policy')),
                ('policy_template', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='credentials.policytemplate')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['access_key_id'], name='session_access_key'), models.Index(fields=['product_slug', '-id'], name='session_of_product'), models.Index(fields=['status', 'expires_at'], name='session_by_expiry'), models.Index(fields=['requested_at', 'status'], name='session_by_request'), models.Index(fields=['client', 'requested_at'], name='session_client_recent'), models.Index(fields=['token_name', '-id'], name='session_of_token'), models.Index(fields=['sts_request_id'], name='session_sts_request'), models.Index(fields=['store', '-id'], name='session_of_store'), models.Index(fields=['build', '-id'], name='session_of_build'), models.Index(fields=['client', '-id'], name='session_of_client'), models.Index(condition=models.Q(('status__in', ['failed', 'withheld'])), fields=['status', '-id'], name='session_in_vain'), models.Index(condition=models.Q(('caller_ip_hex__isnull', False)), fields=['caller_ip_hex', '-id'], name='session_of_caller_ip'), models.Index(condition=models.Q(('revocation__isnull', False)), fields=['revocation', 'expires_at'], name='session_of_revocation')],
                'constraints': [models.CheckConstraint(condition=models.Q(('status__in', ['requested', 'issued', 'failed', 'withheld'])), name='session_status_known'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'issued'), _negated=True), models.Q(models.Q(('access_key_id', ''), _negated=True), ('expires_at__isnull', False)), _connector='OR'), name='session_issued_has_key_and_expiry'), models.CheckConstraint(condition=models.Q(('status', 'failed'), ('failure_code', ''), _connector='XOR'), name='session_failure_has_code'), models.CheckConstraint(condition=models.Q(('status', 'requested'), ('completed_at__isnull', False), _connector='XOR'), name='session_completed_once'), models.CheckConstraint(condition=models.Q(('duration_seconds__range', (900, 43200))), name='session_duration'), models.CheckConstraint(condition=models.Q(('signed_by_identity', False), ('delivery', 'post'), _connector='OR'), name='session_identity_signs_posts'), models.UniqueConstraint(condition=models.Q(models.Q(('access_key_id', ''), _negated=True), ('signed_by_identity', False)), fields=('access_key_id',), name='session_access_key_once'), models.CheckConstraint(condition=models.Q(('session_name__startswith', models.F('id')), ('delivery', 'verify'), _connector='OR'), name='session_named_by_id'), models.CheckConstraint(condition=models.Q(('revoked_at', None), ('revocation__isnull', False), _connector='XOR'), name='session_revoked_by_decision'), models.CheckConstraint(condition=models.Q(models.Q(('root', ''), _negated=True), models.Q(('bucket_name', ''), _negated=True), models.Q(('policy', ''), ('policy_template', None), _connector='XOR'), models.Q(('policy', ''), ('policy_sha256', ''), _connector='XOR'), models.Q(models.Q(('policy', ''), _negated=True), models.Q(('status', 'requested'), _negated=True), _connector='OR')), name='session_has_scope')],
                'permissions': [('revoke_issuedsession', 'Can revoke sessions')],
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
                'indexes': [models.Index(condition=models.Q(('closed_at', None)), fields=['-id'], name='finding_open'), models.Index(condition=models.Q(('closed_at', None)), fields=['job', 'store', 'last_run'], name='finding_open_of_job'), models.Index(condition=models.Q(('is_unsent', True)), fields=['job'], name='finding_unsent'), models.Index(condition=models.Q(('store__isnull', False)), fields=['store'], name='finding_of_store'), models.Index(condition=models.Q(('session__isnull', False)), fields=['session'], name='finding_of_session'), models.Index(condition=models.Q(('build__isnull', False)), fields=['build'], name='finding_of_build'), models.Index(condition=models.Q(('access_key_id', ''), _negated=True), fields=['access_key_id'], name='finding_of_key')],
                'constraints': [models.CheckConstraint(condition=models.Q(('severity__in', ['error', 'warning'])), name='finding_severity_known'), models.CheckConstraint(condition=models.Q(models.Q(('acknowledged_at', None), ('acknowledged_by', ''), ('acknowledged_note', ''), ('acknowledged_until', None)), models.Q(('acknowledged_until__gt', models.F('acknowledged_at')), models.Q(('acknowledged_by', ''), _negated=True), models.Q(('acknowledged_note', ''), _negated=True)), _connector='OR'), name='finding_acknowledged_with_note_and_end'), models.CheckConstraint(condition=models.Q(('last_seen_at__gte', models.F('first_seen_at')), ('times__gte', 1)), name='finding_seen_in_order')],
            },
        ),
        migrations.AddField(
            model_name='client',
            name='products',
            field=models.ManyToManyField(blank=True, related_name='clients', through='credentials.Grant', to='builds.product'),
        ),
        migrations.AddField(
            model_name='jobtoken',
            name='products',
            field=models.ManyToManyField(related_name='+', through='credentials.JobProduct', to='builds.product'),
        ),
        migrations.RunPython(add_groups, migrations.RunPython.noop),
    ]
