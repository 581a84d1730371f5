"""What needs attention: questions that should find nothing, each with a link to its rows.

`CHECKS` is the list. A question that counts rows is a `Counted`: all of these are one statement.
Any other is an `Asked`, with few queries of its own. Who may not view the model is not shown
it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, Model, OuterRef, QuerySet

from builds.models import Build, Store
from credentials.models import (
    ApiKey,
    AuditFinding,
    Client,
    IsolationRun,
    IssuedSession,
    JobRun,
    Refusal,
    Revocation,
    Webhook,
    WebhookDelivery,
)
from credentials.operations.figures import MOST, History
from credentials.operations.schedule import WHY_OVERDUE, overdue_jobs
from ltdkeeper.admin.filters import BuildState, KeyState
from ltdkeeper.admin.links import list_address, page_address
from ltdkeeper.admin.refusals import busy_addresses

# What is older is for the audit: whoever is on call has seen it.
RECENT = timedelta(days=7)
# After that long, a check of isolation, or the roll-up, is old.
OLD_CHECK = timedelta(days=30)
OLD_FIGURES = timedelta(hours=3)
# How many overdue jobs are named, and how many open findings counted by rule.
MOST_JOBS = 5
MOST_FINDINGS = 10_000
# cron writes revocations every minute.
CLOCK_IS_LATE = timedelta(minutes=5)
DELIVERY_IS_LATE = timedelta(minutes=15)
# The longest that a session lives, and a margin.
LONGEST_SESSION = timedelta(hours=13)


@dataclass(frozen=True, kw_only=True)
class Attention:
    """One thing: what it is, why it matters or what to do, where its rows are, and some of them."""

    what: str
    why: str
    address: str
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Rows that should not be there. `what` is followed by how many they are."""

    model: type[Model]
    what: str
    why: str
    rows: Callable[[datetime], QuerySet[Any]]
    query: dict[str, str]
    describe: Callable[[Any, datetime], str] = lambda row, _now: str(row)

    def answer(self, count: str) -> Attention:
        address = list_address(self.model, **self.query)
        return Attention(what=f"{self.what}: {count}", why=self.why, address=address)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question that names the rows itself."""

    model: type[Model]
    ask: Callable[[datetime], Iterable[Attention]]


def builds_needing_attention(now: datetime) -> QuerySet[Any]:
    """Of the last 7 days, among the newest that something may be wrong with."""
    newest = Build.objects.unsettled().values("pk")[:MOST]
    rows = Build.objects.needing_attention(now).filter(pk__in=newest)
    return rows.filter(registered_at__gt=now - RECENT).select_related("registration__client")


def reasons(build: Build, now: datetime) -> str:
    """Why a build needs attention, with what went wrong at the store."""
    failure = f" ({build.survey_failure})" if build.survey_failure else ""
    return "; ".join(each.label for each in build.concerns(now)) + failure


def describe_build(build: Build, now: datetime) -> str:
    owner = getattr(build, "registration", None)
    by = f" by {owner.client}" if owner else ""
    return f"{build}: {reasons(build, now)}; registered {build.registered_at:%F %H:%M} UTC{by}"


def disabled_clients_with_live_sessions(now: datetime) -> QuerySet[Any]:
    recent = IssuedSession.objects.active(now).since(now - LONGEST_SESSION)
    return Client.objects.filter(Exists(recent.filter(client=OuterRef("pk"))), is_active=False)


def refused_addresses(now: datetime) -> Iterator[Attention]:
    why = "Someone may be probing, or a job is misconfigured."
    for busy in busy_addresses(now):
        yield Attention(what=busy.sentence, why=why, address=busy.address, rows=busy.kinds)


def findings_by_rule(now: datetime) -> Iterator[Attention]:
    counted = AuditFinding.objects.open(now).order_by("-pk").values("pk")[:MOST_FINDINGS]
    rows = AuditFinding.objects.order_by().filter(pk__in=counted).values("severity", "rule")
    for each in rows.annotate(number=Count("pk")).order_by("severity", "rule"):
        more = "+" if each["number"] == MOST_FINDINGS else ""
        yield Attention(
            what=f"{each['severity'].capitalize()} {each['rule']}: {each['number']}{more} open",
            why="An audit found these. Each page says what to do; acknowledge what is known.",
            address=list_address(AuditFinding, rule=each["rule"], severity=each["severity"]),
        )


def late_jobs(now: datetime) -> Iterator[Attention]:
    """Those that no finding reports: audit_schedule itself may be late."""
    if not (overdue := overdue_jobs(now)):
        return
    findings = AuditFinding.objects.of("audit_schedule").filter(closed_at=None)
    known = set(findings.values_list("subject", flat=True))
    for job in [each for each in overdue if each.name not in known][:MOST_JOBS]:
        address = list_address(JobRun, job=job.job.command)
        yield Attention(what=job.lateness, why=WHY_OVERDUE, address=address)


CHECKS: list[Counted | Asked] = [
    Counted(
        model=Revocation,
        what="Revocations that failed: the store may still accept their sessions",
        why="The page of each says what happened and what to do.",
        rows=lambda now: Revocation.objects.in_force(now).filter(state=Revocation.State.FAILED),
        query={"state__exact": "failed"},
    ),
    Counted(
        model=Revocation,
        what="Revocations not written for more than 5 minutes",
        why="manage.py write_revocations should run every minute: check the clock or cron.",
        rows=lambda now: Revocation.objects.in_force(now).filter(
            state=Revocation.State.REQUESTED, requested_at__lt=now - CLOCK_IS_LATE
        ),
        query={"state__exact": "requested"},
    ),
    Asked(model=AuditFinding, ask=findings_by_rule),
    Asked(model=JobRun, ask=late_jobs),
    Asked(model=Refusal, ask=refused_addresses),
    Counted(
        model=IssuedSession,
        what="Stuck sessions, in the last 7 days",
        why="A process died between calling the store and recording the outcome.",
        rows=lambda now: IssuedSession.objects.stuck(now).since(now - RECENT),
        query={"state": "stuck"},
    ),
    Counted(
        model=Client,
        what="Clients that are disabled and have live sessions",
        why="Sessions issued before work until they expire or are revoked.",
        rows=disabled_clients_with_live_sessions,
        query={"is_active__exact": "0"},
    ),
    Counted(
        model=WebhookDelivery,
        what="Webhook deliveries overdue for more than 15 minutes",
        why=(
            "manage.py deliver_webhooks should run every minute: check the clock or cron. "
            "Or their webhook fails: each delivery says how."
        ),
        rows=lambda now: WebhookDelivery.objects.due(now - DELIVERY_IS_LATE).filter(
            webhook__is_active=True
        ),
        query={"state": "waiting"},
    ),
    Counted(
        model=WebhookDelivery,
        what="Webhook deliveries that became dead letters, in the last 7 days",
        why="Their webhook did not accept them for three days. Fix it, then send them again.",
        rows=lambda now: WebhookDelivery.objects.dead().filter(give_up_at__gt=now - RECENT),
        query={"state": "dead"},
    ),
    Counted(
        model=Webhook,
        what="Webhooks disabled in the last 7 days because they responded 410 Gone",
        why="Their receivers get no more events. If that is wrong, enable them.",
        rows=lambda now: Webhook.objects.filter(gone_at__gt=now - RECENT),
        query={"is_active__exact": "0"},
    ),
    Counted(
        model=Build,
        what="Builds that need attention, of the last 7 days",
        why=f"Each is one of these: {'; '.join(Build.Concern.labels)}. The list says which.",
        rows=builds_needing_attention,
        query={"state": BuildState.ATTENTION},
        describe=describe_build,
    ),
    Counted(
        model=ApiKey,
        what="API keys that expire within 14 days",
        why="Create new ones and distribute them before then.",
        rows=ApiKey.objects.expiring,
        query={"state": KeyState.EXPIRING},
    ),
]


Verdicts = Sequence[tuple[Store, IsolationRun | None]]


def about_isolation(verdicts: Verdicts, now: datetime) -> Iterator[Attention]:
    """Stores whose last isolation check did not pass, is old, or was never made."""
    for store, run in verdicts:
        if run is None:
            yield Attention(
                what=f"Store {store} was never checked for isolation",
                why="Nothing shows yet that it keeps builds apart: request a check.",
                address=page_address(store),
            )
        elif not run.passed:
            yield Attention(
                what=f"Store {store}: isolation {run.verdict}",
                why=run.summary,
                address=page_address(run),
            )
        elif run.finished_at and now - run.finished_at > OLD_CHECK:
            yield Attention(
                what=f"Store {store}: the last isolation check is older than 30 days",
                why="Request another: roles and bucket policies may have changed.",
                address=page_address(run),
            )


def about_figures(history: History, now: datetime) -> Iterator[Attention]:
    """The roll-up, once it has run, is to go on running."""
    if history.until and now - history.until > OLD_FIGURES:
        yield Attention(
            what=f"Metrics were last rolled up to {history.until:%F %H}:00 UTC",
            why="manage.py roll_up should run every hour: check the clock or cron.",
            address="#figures",
        )
