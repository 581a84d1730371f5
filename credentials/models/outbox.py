"""The outbox: events, each written in the transaction that makes it true, once for each webhook
that receives it, and kept there until it is delivered.
"""

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import orjson
from django.conf import settings
from django.db import connection, models
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from ulid import ULID

from builds.models import Build, Product
from credentials.models.validators import validate_webhook_url
from credentials.rules.secret import Secret
from credentials.rules.webhooks import GIVE_UP_AFTER, SECRET_PREFIX

NAME_LENGTH = 64
SUBJECT_LENGTH = 300
SEED_LENGTH = 26
# After a change of the secret, calls carry a signature by the former one as well, for as long.
BOTH_SECRETS = timedelta(hours=24)


class EventKind(models.TextChoices):
    """What webhooks are told of."""

    BUILD_REGISTERED = "build.registered", "build.registered"
    BUILD_FINISHED = "build.finished", "build.finished"
    BUILD_DELETED = "build.deleted", "build.deleted"
    BUILD_SUPERSEDED = "build.superseded", "build.superseded"
    SESSION_REVOKED = "session.revoked", "session.revoked"
    FINDING_OPENED = "finding.opened", "finding.opened"
    TEST = "webhook.test", "webhook.test"


def new_seed() -> str:
    """Another seed: with the service's secret key it makes another secret."""
    return str(ULID())


class Webhook(models.Model):
    """An address that receives events.

    Its secret is not stored: it is derived from `seed` and the service's secret key, so that who
    reads the database cannot sign.
    """

    name = models.CharField(max_length=NAME_LENGTH, unique=True)
    url = models.CharField(
        "address",
        max_length=500,
        validators=[validate_webhook_url],
        help_text="https://host/path. A path or query that must stay secret is shown only to those "
        "who may change webhooks.",
    )
    kinds = models.JSONField(default=list, blank=True, help_text="None ticked: all.")
    products = models.ManyToManyField(
        Product,
        blank=True,
        related_name="+",
        help_text="Only what is about these. Empty: everything.",
    )
    is_active = models.BooleanField("active", default=True)
    seed = models.CharField(max_length=SEED_LENGTH, default=new_seed, editable=False)
    former_seed = models.CharField(max_length=SEED_LENGTH, blank=True, editable=False)
    secret_changed_at = models.DateTimeField(default=timezone.now, editable=False)
    gone_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When it responded 410 Gone and was disabled for that.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def secrets(self, now: datetime) -> list[Secret]:
        """What its calls are signed with: the secret, and for a day the former one."""
        is_new = self.former_seed and now < self.secret_changed_at + BOTH_SECRETS
        seeds = [self.seed, *([self.former_seed] if is_new else [])]
        return [_derived(seed) for seed in seeds]


def _derived(seed: str) -> Secret:
    key = salted_hmac("ltdkeeper.webhook", seed, algorithm="sha256").digest()
    return Secret(SECRET_PREFIX + base64.b64encode(key).decode())


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def waiting(self) -> "WebhookDeliveryQuerySet":
        return self.filter(state=WebhookDelivery.State.WAITING)

    def due(self, now: datetime) -> "WebhookDeliveryQuerySet":
        return self.waiting().filter(next_attempt_at__lte=now)

    def dead(self) -> "WebhookDeliveryQuerySet":
        return self.filter(state=WebhookDelivery.State.DEAD)


class WebhookDelivery(models.Model):
    """One event on its way to one webhook.

    `event_id` is the same for all webhooks and attempts. `body` is what is sent and signed. Of one
    `subject`, events are delivered in the order of their keys.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waiting"
        DELIVERED = "delivered", "delivered"
        DEAD = "dead", "dead letter"

    event_id = models.CharField("event", max_length=26)
    webhook = models.ForeignKey(
        Webhook, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    kind = models.CharField(max_length=32, choices=EventKind)
    subject = models.CharField(max_length=SUBJECT_LENGTH)
    body = models.TextField()
    created_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    last_attempt_at = models.DateTimeField("last attempt", null=True)
    next_attempt_at = models.DateTimeField("next attempt")
    give_up_at = models.DateTimeField(
        help_text="A delivery that fails after that becomes a dead letter."
    )
    last_status = models.PositiveSmallIntegerField("HTTP status", null=True)
    last_problem = models.CharField("problem", max_length=32, blank=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        permissions: ClassVar = [("resend_webhookdelivery", "Can send dead letters again")]
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["webhook", "-id"], name="delivery_by_webhook"),
            models.Index(
                fields=["webhook", "id"], condition=Q(state="waiting"), name="delivery_queue"
            ),
            models.Index(
                fields=["webhook", "subject", "id"],
                condition=Q(state="waiting"),
                name="delivery_order",
            ),
            models.Index(
                fields=["next_attempt_at"], condition=Q(state="waiting"), name="delivery_due"
            ),
            models.Index(fields=["-id"], condition=Q(state="dead"), name="delivery_dead"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event_id", "webhook"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "delivered", "dead"]),
                name="delivery_state_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


def record_event(
    kind: EventKind,
    *,
    subject: str,
    payload: Mapping[str, Any],
    now: datetime,
    product_slug: str = "",
) -> None:
    """Write an event for each active webhook that is to be told of it, in the caller's transaction.

    One statement, which writes nothing where there is none. An event that is not about a product
    goes to webhooks of all products only.
    """
    at = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORD,
            {
                "event_id": str(ULID()),
                "kind": kind.value,
                "subject": subject[:SUBJECT_LENGTH],
                "body": event_body(kind, payload, now),
                "now": at(now),
                "give_up_at": at(now + GIVE_UP_AFTER),
                "quoted_kind": f'%"{kind.value}"%',
                "product": product_slug,
            },
        )


def event_body(kind: EventKind, payload: Mapping[str, Any], now: datetime) -> str:
    """The text that is sent and signed, the same at every attempt."""
    body = {"type": kind.value, "timestamp": now, "data": payload}
    return orjson.dumps(body, option=orjson.OPT_UTC_Z).decode()


_RECORD = """
INSERT INTO credentials_webhookdelivery (
    event_id, webhook_id, kind, subject, body, created_at, state, attempts, next_attempt_at,
    give_up_at, last_problem)
SELECT
    %(event_id)s, w.id, %(kind)s, %(subject)s, %(body)s, %(now)s, 'waiting', 0, %(now)s,
    %(give_up_at)s, ''
FROM credentials_webhook w
WHERE w.is_active
    AND (CAST(w.kinds AS text) = '[]' OR CAST(w.kinds AS text) LIKE %(quoted_kind)s)
    AND (
        NOT EXISTS (SELECT 1 FROM credentials_webhook_products l WHERE l.webhook_id = w.id)
        OR EXISTS (
            SELECT 1 FROM credentials_webhook_products l
            JOIN builds_product p ON p.id = l.product_id
            WHERE l.webhook_id = w.id AND p.slug = %(product)s))
"""


def record_build_event(kind: EventKind, build: Build, *, now: datetime) -> None:
    """Write what happened to a build, whose product and store were fetched with it."""
    payload = {
        "build": build.pk,
        "self_url": f"{settings.LTD_PUBLIC_URL}/builds/{build.pk}",
        "product": build.product.slug,
        "slug": build.slug,
        "store": build.product.store.name,
        "bucket": build.bucket_name,
        "root": build.root,
        "published_url": build.published_url,
        "surrogate_key": build.surrogate_key,
        "git_refs": build.git_refs,
        "registered_at": build.registered_at,
        "finished_at": build.finished_at,
        "object_count": build.object_count,
        "byte_count": build.byte_count,
    }
    slug = build.product.slug
    record_event(kind, subject=build.root, payload=payload, now=now, product_slug=slug)
