"""Deliver events to webhooks: at least once, in order for each subject, until they are accepted.

One process at a time does it (`manage.py deliver_webhooks` holds the lease). Calls are made in
threads, one at a time for each webhook; only the caller's thread asks the database. A process that
is killed between a call and its row makes the call again, with the same id.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from ulid import ULID

from credentials.models import EventKind, Webhook, WebhookDelivery
from credentials.models.outbox import WebhookDeliveryQuerySet, event_body, new_seed
from credentials.operations.webhook_calls import GONE, Answer, Call, send
from credentials.rules.webhooks import GIVE_UP_AFTER, gap_after

AT_A_TIME = 100
WEBHOOKS_AT_ONCE = 8
# After so many failures in a row a webhook is left alone until the next run.
MOST_FAILURES = 3
# Less than the five minutes that the clock gives it: the next run goes on.
LONGEST_RUN = timedelta(minutes=4)
# What is delivered or dead is kept for so long.
KEPT = timedelta(days=30)
MOST_REMOVED = 5_000
DOUBLE_CLICK = timedelta(minutes=1)
SPREAD = random.SystemRandom()
State = WebhookDelivery.State

log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class Queue:
    """What is due for one webhook, some rows at a time, in their order."""

    webhook: Webhook
    rows: deque[WebhookDelivery] = field(default_factory=deque)
    failed_subjects: set[str] = field(default_factory=set)
    failures: int = 0

    @property
    def is_given_up(self) -> bool:
        return self.failures >= MOST_FAILURES or not self.webhook.is_active

    def next(self, now: datetime) -> WebhookDelivery | None:
        """The next row to send. A subject whose earlier event failed just now is passed over."""
        while True:
            if not self.rows:
                self.failed_subjects.clear()
                self.webhook.refresh_from_db()
                self.rows.extend(due_deliveries(self.webhook, now))
            if self.is_given_up or not self.rows:
                return None
            if (row := self.rows.popleft()).subject not in self.failed_subjects:
                return row

    def note(self, row: WebhookDelivery, *, is_taken: bool) -> None:
        self.failures = 0 if is_taken else self.failures + 1
        if not is_taken:
            self.failed_subjects.add(row.subject)


def due_deliveries(webhook: Webhook, now: datetime) -> list[WebhookDelivery]:
    """The first that are due, without those that wait for an earlier event of their subject."""
    waiting = WebhookDelivery.objects.waiting().filter(webhook=webhook)
    earlier = waiting.filter(
        subject=OuterRef("subject"), pk__lt=OuterRef("pk"), next_attempt_at__gt=now
    )
    due = waiting.filter(~Exists(earlier), next_attempt_at__lte=now)
    return list(due.order_by("pk")[:AT_A_TIME])


def deliver_webhooks(*, clock: Callable[[], datetime] = timezone.now) -> Iterator[WebhookDelivery]:
    """Send what is due until nothing is, or for some minutes, and yield each row as it was left."""
    until = clock() + LONGEST_RUN
    _bury_expired(WebhookDelivery.objects.filter(webhook__is_active=False), clock())
    ready = deque(Queue(webhook=each) for each in Webhook.objects.filter(is_active=True))
    running: dict[Future[Answer], tuple[Queue, WebhookDelivery]] = {}
    with ThreadPoolExecutor(WEBHOOKS_AT_ONCE) as pool:
        while ready or running:
            while ready and len(running) < WEBHOOKS_AT_ONCE:
                queue, now = ready.popleft(), clock()
                if now >= until:
                    continue
                if row := queue.next(now):
                    running[pool.submit(send, _call(queue.webhook, row, now), now=now)] = queue, row
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                queue, row = running.pop(future)
                _record(queue.webhook, row, future.result(), clock())
                queue.note(row, is_taken=row.state == State.DELIVERED)
                if queue.is_given_up:
                    _bury_expired(queue.webhook.deliveries.all(), clock())
                else:
                    ready.append(queue)
                yield row
    _remove_old(clock())


def _call(webhook: Webhook, row: WebhookDelivery, now: datetime) -> Call:
    return Call(
        url=webhook.url,
        event_id=row.event_id,
        body=row.body.encode(),
        secrets=webhook.secrets(now),
        allowed_networks=settings.LTD_WEBHOOK_ALLOWED_NETWORKS,
    )


def _record(webhook: Webhook, row: WebhookDelivery, answer: Answer, now: datetime) -> None:
    """Write how a call ended. A receiver that responds 410 Gone gets no more events."""
    row.attempts += 1
    row.last_attempt_at = now
    row.last_status, row.last_problem = answer.status, answer.problem or ""
    if answer.is_taken:
        row.state = State.DELIVERED
    elif answer.status == GONE or now >= row.give_up_at:
        row.state = State.DEAD
    else:
        row.next_attempt_at = now + gap_after(row.attempts, spread=SPREAD.random())
    written = (
        *("attempts", "last_attempt_at", "last_status", "last_problem"),
        *("state", "next_attempt_at"),
    )
    row.save(update_fields=written)
    if answer.is_taken:
        return
    log.warning(
        "webhook_failed",
        webhook=webhook.name,
        webhook_id=row.event_id,
        attempts=row.attempts,
        status=answer.status,
        problem=row.last_problem,
    )
    if answer.status == GONE:
        webhook.is_active, webhook.gone_at = False, now
        webhook.save(update_fields=["is_active", "gone_at"])


def _bury_expired(deliveries: QuerySet[WebhookDelivery], now: datetime) -> None:
    """What webhooks that take nothing should have taken long ago becomes dead letters."""
    deliveries.filter(state=State.WAITING, give_up_at__lte=now).update(state=State.DEAD)


def _remove_old(now: datetime) -> None:
    """Of the oldest rows, those that are over and kept for long enough."""
    oldest = WebhookDelivery.objects.order_by("pk").values_list("pk", flat=True)[:MOST_REMOVED]
    over = WebhookDelivery.objects.filter(pk__in=list(oldest), created_at__lt=now - KEPT)
    over.exclude(state=State.WAITING).delete()


def send_again(*, deliveries: WebhookDeliveryQuerySet, now: datetime) -> int:
    """Make dead letters due again, for as long as new ones. How many."""
    return deliveries.dead().update(
        state=State.WAITING, attempts=0, next_attempt_at=now, give_up_at=now + GIVE_UP_AFTER
    )


def change_secret(*, webhook: Webhook, now: datetime) -> bool:
    """Give a webhook another secret. For a day its calls are signed with the former one too, which
    its receiver has: so a double click, that is within a minute, changes nothing (False).
    """
    with transaction.atomic():
        webhook.refresh_from_db(from_queryset=Webhook.objects.select_for_update(no_key=True))
        if webhook.former_seed and now - webhook.secret_changed_at < DOUBLE_CLICK:
            return False
        webhook.former_seed, webhook.seed, webhook.secret_changed_at = webhook.seed, new_seed(), now
        webhook.save(update_fields=["former_seed", "seed", "secret_changed_at"])
    return True


def record_test_event(*, webhook: Webhook, now: datetime) -> None:
    """An event for this webhook alone, whatever it is otherwise told of."""
    WebhookDelivery.objects.create(
        event_id=str(ULID()),
        webhook=webhook,
        kind=EventKind.TEST,
        subject=f"webhook {webhook.name}",
        body=event_body(EventKind.TEST, {"webhook": webhook.name}, now),
        created_at=now,
        next_attempt_at=now,
        give_up_at=now + GIVE_UP_AFTER,
    )
