"""One mail for each run, about what is new and bad enough; a run survives the loss of the mail."""

import json
from collections.abc import Callable
from smtplib import SMTPException
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from pytest_django import Settings

from builds.models import Store
from credentials.models import AuditFinding, JobRun, Webhook, WebhookDelivery
from credentials.operations import runs
from credentials.operations.findings import Severity
from tests.credentials.operations.test_runs import accept, actor, found, run_on

__all__ = ["actor"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _addresses(settings: Settings) -> None:
    settings.LTD_MAIL_FINDINGS = ["on-call@example.org"]


def test_new_findings_are_events_for_webhooks(store: Store) -> None:
    Webhook.objects.create(name="on call", url="https://hooks.example.org/x")
    run_on(0, found(), found("mild", severity=Severity.WARNING), store=store)
    run_on(1, found(), store=store)
    [event] = WebhookDelivery.objects.all()
    data = json.loads(event.body)["data"]
    assert event.kind == "finding.opened"
    assert (data["rule"], data["subject"], data["store"]) == ("a_rule", "one", "main")


def test_one_run_writes_a_limited_number_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_EVENTS", 2)
    Webhook.objects.create(name="on call", url="https://hooks.example.org/x")
    run_on(0, *(found(str(number)) for number in range(5)))
    assert (WebhookDelivery.objects.count(), AuditFinding.objects.count()) == (2, 5)


def subjects() -> list[str]:
    return [message.subject for message in mail.outbox]


def test_new_findings_are_one_mail(store: Store) -> None:
    run_on(0, found("a\x1b[31m"), found("two"), store=store)
    run_on(1, found("a\x1b[31m"), found("two"), store=store)
    [message] = mail.outbox
    assert message.subject == "2 new findings by audit_sessions of the store main"
    assert (message.to, message.from_email) == (
        ["on-call@example.org"],
        "ltdkeeper@keeper.example.org",
    )
    assert "error a_rule: a\\u001b[31m\n  wrong\n" in message.body


def test_mail_names_twenty_and_how_many_more() -> None:
    run_on(0, *(found(f"subject {number}") for number in range(23)))
    assert mail.outbox[0].body.count("subject ") == 20
    assert "And 3 more: https://keeper.example.org/admin/" in mail.outbox[0].body


def test_nobody_is_told_of_what_is_acknowledged_or_of_a_warning(actor: User) -> None:
    run_on(0, found(), found("mild", severity=Severity.WARNING))
    accept(actor, 0, until=5)
    run_on(1)
    run_on(2, found())
    assert subjects() == ["1 new finding by audit_sessions"]
    run_on(6, found())
    assert len(mail.outbox) == 2


def test_warnings_are_mailed_where_asked_for(settings: Settings) -> None:
    settings.LTD_ALERT_SEVERITY = "warning"
    run_on(0, found(severity=Severity.WARNING))
    assert len(mail.outbox) == 1


def fail(error: Exception) -> Callable[..., Any]:
    def send(*_: Any, **__: Any) -> None:
        raise error

    return send


@pytest.mark.parametrize("error", [SMTPException("s3cret"), ConnectionRefusedError()], ids=repr)
def test_mail_that_fails_is_a_problem_of_the_run_and_sent_by_the_next(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("credentials.operations.kept_findings.EmailMessage.send", fail(error))
        run_on(0, found())
    run = JobRun.objects.get()
    name = type(error).__name__
    assert (run.state, run.errors) == ("finished", 1)
    assert run.problem == f"The mail about 1 new findings was not sent: {name}."
    run_on(1, found())
    assert len(mail.outbox) == 1


def test_what_was_acknowledged_before_the_mail_went_out_is_not_in_it(
    actor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("credentials.operations.kept_findings.EmailMessage.send", fail(OSError()))
        run_on(0, found())
    accept(actor, 0, until=5)
    run_on(1, found())
    run_on(6, found(), found("two"))
    assert [message.body.count("a_rule") for message in mail.outbox] == [2]


def test_nothing_is_due_later_where_nobody_is_named(settings: Settings) -> None:
    settings.LTD_MAIL_FINDINGS = []
    run_on(0, found())
    settings.LTD_MAIL_FINDINGS = ["on-call@example.org"]
    run_on(1, found())
    assert mail.outbox == []
