import credentials.models.outbox
import credentials.models.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


# Group -> what it may, if it may look at sessions.
GROUPS = {
    "viewer": ("view_webhook", "view_webhookdelivery"),
    "operator": ("view_webhook", "view_webhookdelivery", "resend_webhookdelivery"),
    "administrator": (
        "view_webhook", "add_webhook", "change_webhook",
        "view_webhookdelivery", "resend_webhookdelivery",
    ),
}
NAMES = {"resend_webhookdelivery": "Can send dead letters again"}


def let_groups_see_webhooks(apps, schema_editor):
    """To the groups that were not changed in what they may look at."""
    alias = schema_editor.connection.alias
    ContentType = apps.get_model("contenttypes", "ContentType")
    Permission = apps.get_model("auth", "Permission")
    Group = apps.get_model("auth", "Group")
    for name, codenames in GROUPS.items():
        group = Group.objects.using(alias).filter(
            name=name, permissions__codename="view_issuedsession"
        ).first()
        for codename in codenames if group else ():
            act, model = codename.split("_")
            kind, _ = ContentType.objects.using(alias).get_or_create(
                app_label="credentials", model=model
            )
            words = {"webhook": "webhook", "webhookdelivery": "webhook delivery"}[model]
            right, _ = Permission.objects.using(alias).get_or_create(
                content_type=kind,
                codename=codename,
                defaults={"name": NAMES.get(codename) or f"Can {act} {words}"},
            )
            group.permissions.add(right)


class Migration(migrations.Migration):
    """Taking it back leaves the permissions: nothing asks for them then."""

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ('builds', '0009_builds_by_git_ref'),
        ('credentials', '0022_audits'),
    ]

    operations = [
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
                ('gone_at', models.DateTimeField(editable=False, help_text='When it answered 410 Gone and was disabled for that.', null=True)),
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
        migrations.RunPython(let_groups_see_webhooks, migrations.RunPython.noop),
    ]
