import builds.validators
import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """The schema of version 1.0.0 at once, for new databases: migrating takes half the time."""

    replaces = [
        ('builds', '0001_initial'),
        ('builds', '0002_jobs_and_publishers'),
        ('builds', '0003_imported'),
        ('builds', '0004_store_with_sync'),
        ('builds', '0005_build_has_untyped_pages'),
        ('builds', '0006_builds_by_slug'),
        ('builds', '0007_builds_by_state'),
        ('builds', '0008_git_ref'),
        ('builds', '0009_builds_by_git_ref'),
        ('builds', '0010_published_url_template'),
        ('builds', '0011_help_texts'),
    ]

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Store',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(help_text='Products refer to it by this name.', unique=True)),
                ('bucket', models.CharField(max_length=63, validators=[builds.validators.validate_bucket])),
                ('region', models.CharField(default='us-east-1', max_length=32, validators=[builds.validators.validate_region])),
                ('endpoint_url', models.CharField(blank=True, help_text='The endpoint this service uses for S3 and STS. Empty: AWS, in the region.', max_length=255, validators=[builds.validators.validate_endpoint], verbose_name='endpoint')),
                ('public_endpoint_url', models.CharField(blank=True, help_text='The endpoint returned to clients, if different.', max_length=255, validators=[builds.validators.validate_endpoint], verbose_name='public endpoint')),
                ('role_arn', models.CharField(max_length=255, validators=[builds.validators.validate_role_arn], verbose_name='upload role ARN')),
                ('role_max_seconds', models.PositiveIntegerField(default=3600, help_text="Seconds, the role's MaxSessionDuration. AWS allows no more than 3600 where this service itself runs under a role.", validators=[django.core.validators.MinValueValidator(1800), django.core.validators.MaxValueValidator(43200)], verbose_name="role's longest session")),
                ('external_id', models.CharField(blank=True, max_length=255)),
                ('kms_key_arn', models.CharField(blank=True, max_length=255, validators=[builds.validators.validate_kms_key_arn], verbose_name='KMS key ARN')),
                ('addressing', models.CharField(choices=[('auto', 'automatic'), ('path', 'path (endpoint/bucket/key)'), ('virtual', 'virtual host (bucket.endpoint/key)')], default='auto', max_length=8)),
                ('acl_mode', models.CharField(choices=[('none', 'none (new buckets refuse ACLs)'), ('public-read', 'public-read on presigned POSTs')], default='none', max_length=16, verbose_name='ACLs')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('post_signer_profile', models.CharField(blank=True, help_text="For stores that do not: a profile in this service's AWS configuration with s3:PutObject on the builds and nothing else. Never the vendor's.", max_length=64, verbose_name='POST-signing profile')),
                ('post_support', models.CharField(choices=[('unknown', 'not known yet'), ('works', 'taken'), ('broken', 'not taken')], default='unknown', help_text='Whether the store accepts POSTs signed by a limited session; `manage.py check_isolation` finds out by storing an object and reading it back.', max_length=8, verbose_name='presigned POSTs')),
                ('with_sync', models.BooleanField(db_default=False, default=False, help_text='Whether its products may have sync access: only then does the upload role need to read objects. `manage.py bootstrap_store --with-sync --apply` grants the role that right and ticks this.', verbose_name='sync products')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('role_max_seconds__range', (1800, 43200))), name='store_role_max_seconds'), models.CheckConstraint(condition=models.Q(('bucket', ''), _negated=True), name='store_bucket_named'), models.CheckConstraint(condition=models.Q(('role_arn__startswith', 'arn:aws')), name='store_role_arn')],
            },
        ),
        migrations.CreateModel(
            name='Product',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.CharField(max_length=63, unique=True, validators=[builds.validators.validate_product_slug])),
                ('title', models.CharField(blank=True, max_length=255)),
                ('doc_repo', models.CharField(blank=True, max_length=255, verbose_name='documentation repository')),
                ('root_domain', models.CharField(blank=True, max_length=255)),
                ('access', models.CharField(choices=[('upload', 'upload (write and list)'), ('sync', 'sync (also read and delete)')], default='upload', max_length=8)),
                ('session_seconds', models.PositiveIntegerField(blank=True, help_text="Seconds, 900 or more: the default and the longest of this product. Empty: the service's setting.", null=True, verbose_name='session duration')),
                ('surrogate_key', models.CharField(editable=False, max_length=32)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('store', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='products', to='builds.store')),
                ('imported_at', models.DateTimeField(editable=False, help_text='When builds of an LTD Keeper came. It numbers its builds, and does not list those that were deleted: no slug of digits alone is given out since.', null=True)),
                ('published_url_template', models.CharField(blank=True, db_default='', default='', help_text='Where readers find a build, such as https://{product}.docs.example.org/builds/{build}/. Empty: /builds/{build} at the root domain, if there is one.', max_length=255, validators=[builds.validators.validate_url_template], verbose_name='address of a build')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('slug__regex', '^[a-z]+[-a-z0-9]*[a-z0-9]+\\Z')), name='product_slug_legal'), models.CheckConstraint(condition=models.Q(('session_seconds', None), ('session_seconds__range', (900, 43200)), _connector='OR'), name='product_session_seconds'), models.CheckConstraint(condition=models.Q(('published_url_template', ''), ('published_url_template__startswith', 'https://'), _connector='OR'), name='product_published_with_tls')],
            },
        ),
        migrations.CreateModel(
            name='Build',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.CharField(max_length=64, validators=[builds.validators.validate_build_slug])),
                ('server_made', models.BooleanField(verbose_name='slug made here')),
                ('bucket_name', models.CharField(max_length=63)),
                ('root', models.CharField(max_length=135)),
                ('git_refs', models.JSONField(default=list)),
                ('github_requester', models.CharField(blank=True, max_length=255)),
                ('surrogate_key', models.CharField(max_length=32)),
                ('registered_at', models.DateTimeField()),
                ('open_until', models.DateTimeField()),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('deleted_at', models.DateTimeField(blank=True, null=True)),
                ('object_count', models.PositiveIntegerField(blank=True, null=True)),
                ('byte_count', models.PositiveBigIntegerField(blank=True, null=True)),
                ('survey_failure', models.CharField(blank=True, help_text='Why the objects could not be counted at finish.', max_length=64)),
                ('written_without_session', models.BooleanField(default=False, help_text='It had objects when finished, but no session that can write was ever issued for it: other credentials wrote them.')),
                ('product', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='builds', to='builds.product')),
                ('counted_at', models.DateTimeField(blank=True, help_text='When all of its objects were counted.', null=True)),
                ('newest_object_at', models.DateTimeField(blank=True, help_text='When the newest of its objects was written.', null=True)),
                ('purged_at', models.DateTimeField(blank=True, help_text='When its objects were removed from the store.', null=True)),
                ('superseded_at', models.DateTimeField(blank=True, help_text='When the same job registered another in its place.', null=True)),
                ('root_is_shared', models.BooleanField(default=False, help_text='Another build of an LTD Keeper lies at the same root: its objects are not purged with those of this one.')),
                ('has_untyped_pages', models.BooleanField(db_default=False, default=False, help_text='A page (.html) was seen that is stored as application/octet-stream: browsers download it.')),
                ('git_ref', models.CharField(editable=False, help_text='The first of them without refs/heads/ or refs/tags/, to find builds by.', max_length=255, null=True)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['product', '-id'], name='build_newest'), models.Index(condition=models.Q(('deleted_at', None), ('finished_at', None), ('superseded_at', None)), fields=['open_until'], name='build_open'), models.Index(fields=['slug', '-id'], name='build_by_slug'), models.Index(condition=models.Q(('deleted_at', None), ('finished_at', None), ('superseded_at', None)), fields=['-id'], name='build_unfinished'), models.Index(condition=models.Q(('counted_at', None), ('deleted_at', None), ('finished_at__isnull', False)), fields=['-id'], name='build_uncounted'), models.Index(condition=models.Q(('deleted_at', None), ('written_without_session', True)), fields=['-id'], name='build_foreign'), models.Index(condition=models.Q(('git_ref__isnull', False)), fields=['git_ref', '-id'], name='build_by_git_ref')],
                'constraints': [models.UniqueConstraint(fields=('product', 'slug'), name='build_slug_once'), models.UniqueConstraint(fields=('root',), name='build_root_once'), models.CheckConstraint(condition=models.Q(('slug__regex', '^[a-zA-Z0-9._-]+\\Z'), models.Q(('slug__in', ['.', '..']), _negated=True)), name='build_slug_legal'), models.CheckConstraint(condition=models.Q(('root__endswith', models.F('slug')), ('root__contains', '/builds/')), name='build_root_of_slug'), models.CheckConstraint(condition=models.Q(('open_until__gt', models.F('registered_at'))), name='build_opens')],
            },
        ),
    ]
