"""Events arrive at least once, in order by subject, and no webhook holds up another."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credentials.models import EventKind, Webhook, WebhookDelivery, record_event
from credentials.operations import outbox
from credentials.operations.outbox import deliver_webhooks, due_deliveries, send_again
from credentials.operations.webhook_calls import Answer, Call, Problem
from credentials.rules.webhooks import GIVE_UP_AFTER

pytestmark = pytest.mark.django_db
State = WebhookDelivery.State
TAKEN, DOWN = Answer(status=204), Answer(status=503, problem=Problem.STATUS)


class FakeSend:
    """Calls that were made, as `webhook/subject`, answered as a test says."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answers: dict[str, Answer] = {}

    def __call__(self, call: Call, *, now: datetime) -> Answer:
        self.calls.append(call)
        return self.answers.get(self.name(call), TAKEN)

    @staticmethod
    def name(call: Call) -> str:
        return f"{call.url.rpartition('/')[2]}/{call.body.decode().rpartition('subject-')[2][0]}"

    @property
    def made(self) -> list[str]:
        return [self.name(call) for call in self.calls]


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> FakeSend:
    fake = FakeSend()
    monkeypatch.setattr(outbox, "send", fake)
    return fake


@pytest.fixture
def webhook(db: None) -> Webhook:
    return make_webhook("w")


def make_webhook(name: str, **fields: Any) -> Webhook:
    return Webhook.objects.create(name=name, url=f"https://hooks.example.org/{name}", **fields)


def tell(now: datetime, subjects: str) -> None:
    """One event for each letter, in this order."""
    for subject in subjects:
        payload = {"is": f"subject-{subject}"}
        record_event(EventKind.BUILD_FINISHED, subject=subject, payload=payload, now=now)


def deliver(now: datetime) -> str:
    """The states of the rows that were sent, in the order of their answers."""
    return " ".join(row.state for row in deliver_webhooks(clock=lambda: now))


def test_events_are_delivered_once_in_their_order(
    send: FakeSend, webhook: Webhook, now: datetime
) -> None:
    tell(now, "aabca")
    assert deliver(now) == " ".join(["delivered"] * 5)
    assert deliver(now) == ""
    assert send.made == ["w/a", "w/a", "w/b", "w/c", "w/a"]
    assert len({call.event_id for call in send.calls}) == 5


def test_later_events_of_a_subject_wait_for_the_earlier(
    send: FakeSend, webhook: Webhook, now: datetime
) -> None:
    tell(now, "aab")
    send.answers["w/a"] = DOWN
    deliver(now)
    tell(now, "a")
    deliver(now + timedelta(seconds=1))
    assert send.made == ["w/a", "w/b"]
    send.answers.clear()
    deliver(now + timedelta(seconds=7))
    assert send.made[2:] == ["w/a"] * 3
    assert send.calls[2].event_id == send.calls[0].event_id
    assert send.calls[2].body == send.calls[0].body


def test_killed_between_call_and_row_sends_again_with_the_same_id(
    send: FakeSend, webhook: Webhook, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    tell(now, "a")
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "_record", killed)
        with pytest.raises(KeyboardInterrupt):
            deliver(now)
    assert deliver(now) == "delivered"
    first, second = send.calls
    assert (first.event_id, first.body) == (second.event_id, second.body)


def test_webhook_that_fails_is_left_alone_and_holds_up_no_other(
    send: FakeSend, webhook: Webhook, now: datetime
) -> None:
    make_webhook("x")
    tell(now, "abcde")
    send.answers = {f"w/{subject}": DOWN for subject in "abcde"}
    deliver(now)
    assert sorted(send.made) == ["w/a", "w/b", "w/c", "x/a", "x/b", "x/c", "x/d", "x/e"]


def test_failed_delivery_is_tried_for_three_days_and_then_lets_others_pass(
    send: FakeSend, webhook: Webhook, now: datetime
) -> None:
    for at in (now, now + timedelta(days=1)):
        tell(at, "a")
    send.answers["w/a"] = DOWN
    at, attempts = now, 0
    while deliver(at) == "waiting" and attempts < 20:
        first = WebhookDelivery.objects.earliest("pk")
        at, attempts = first.next_attempt_at, attempts + 1
    assert GIVE_UP_AFTER <= at - now < GIVE_UP_AFTER + timedelta(hours=15)
    assert 10 <= attempts <= 14
    assert [row.state for row in WebhookDelivery.objects.order_by("pk")] == ["dead", "waiting"]
    assert len(send.made) == attempts + 2


def test_queue_of_a_webhook_that_is_down_ends_after_its_time(
    send: FakeSend, webhook: Webhook, now: datetime
) -> None:
    tell(now, "abcdefgh")
    send.answers = {f"w/{subject}": DOWN for subject in "abcdefgh"}
    deliver(now + GIVE_UP_AFTER)
    assert len(send.made) == 3
    assert WebhookDelivery.objects.dead().count() == 8


def test_gone_disables_the_webhook(send: FakeSend, webhook: Webhook, now: datetime) -> None:
    tell(now, "ab")
    send.answers["w/a"] = Answer(status=410, problem=Problem.STATUS)
    assert deliver(now) == "dead"
    webhook.refresh_from_db()
    assert (webhook.is_active, webhook.gone_at) == (False, now)
    tell(now, "c")
    assert deliver(now) == ""
    assert WebhookDelivery.objects.waiting().get().subject == "b"


def test_disabling_while_it_is_delivered_to_stops_it(
    send: FakeSend, webhook: Webhook, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "AT_A_TIME", 2)
    tell(now, "abcd")
    for _ in deliver_webhooks(clock=lambda: now):
        Webhook.objects.update(is_active=False)
    assert send.made == ["w/a", "w/b"]


def test_dead_letter_sent_again_has_its_whole_time(
    send: FakeSend, webhook: Webhook, now: datetime
) -> None:
    tell(now - timedelta(days=4), "a")
    send.answers["w/a"] = DOWN
    assert deliver(now) == "dead"
    assert send_again(deliveries=WebhookDelivery.objects.all(), now=now) == 1
    assert send_again(deliveries=WebhookDelivery.objects.all(), now=now) == 0
    assert deliver(now) == "waiting"
    assert WebhookDelivery.objects.get().attempts == 1


def test_what_is_over_is_removed_after_thirty_days(
    send: FakeSend, webhook: Webhook, now: datetime
) -> None:
    for days in (31, 29):
        tell(now - timedelta(days=days), "a")
    deliver(now)
    tell(now - timedelta(days=31), "b")
    Webhook.objects.update(is_active=False)
    WebhookDelivery.objects.filter(subject="b").update(give_up_at=now + timedelta(days=1))
    deliver(now)
    left = WebhookDelivery.objects.order_by("pk").values_list("subject", "state")
    assert list(left) == [("a", "delivered"), ("b", "waiting")]


def fill(webhook: Webhook, now: datetime, count: int, subjects: int) -> None:
    WebhookDelivery.objects.bulk_create(
        (
            WebhookDelivery(
                event_id=f"{number:026d}",
                webhook=webhook,
                kind=EventKind.BUILD_FINISHED,
                subject=f"guide/builds/{number % subjects}",
                body="{}",
                created_at=now,
                next_attempt_at=now,
                give_up_at=now + GIVE_UP_AFTER,
            )
            for number in range(count)
        ),
        batch_size=2_000,
    )


def test_due_deliveries_are_found_by_index(webhook: Webhook, now: datetime) -> None:
    fill(webhook, now, 3_000, 3_000)
    WebhookDelivery.objects.filter(event_id__lt=f"{2_800:026d}").update(state=State.DELIVERED)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    with CaptureQueriesContext(connection) as queries:
        assert len(due_deliveries(webhook, now)) == outbox.AT_A_TIME
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
    with connection.cursor() as cursor:
        cursor.execute(f"{explain} {queries[0]['sql']}")
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
    assert "delivery_" in plan
    assert "SCAN" not in plan.upper().replace("INDEX SCAN", "")


def test_backlog_is_read_in_pages(
    send: FakeSend, webhook: Webhook, now: datetime, django_assert_max_num_queries: Any
) -> None:
    fill(webhook, now, 250, 250)
    pages_and_rows = 2 * 4 + 250
    with django_assert_max_num_queries(pages_and_rows + 6):
        assert deliver(now).count("delivered") == 250


def test_run_ends_after_some_minutes_and_the_next_goes_on(
    send: FakeSend, webhook: Webhook, now: datetime
) -> None:
    tell(now, "abcdefgh")
    clock = iter(now + timedelta(minutes=minute) for minute in range(100))
    done = len(list(deliver_webhooks(clock=lambda: next(clock))))
    assert 0 < done < 8
    assert done + len(list(deliver_webhooks(clock=lambda: now))) == 8
