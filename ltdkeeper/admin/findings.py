"""What pages say about findings: the state of one, those of a row, and how many are open."""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count
from django.utils import timezone

from builds.models import Build
from credentials.models import AuditFinding, IssuedSession, JobRun
from ltdkeeper.admin.links import NEWEST, link, list_address, moment, newest

# So many open findings are counted by rule.
MOST_COUNTED = 10_000


def describe_finding(finding: AuditFinding, now: datetime) -> str:
    """The state, with what ends it."""
    state = finding.state(now)
    if state is AuditFinding.State.ACKNOWLEDGED:
        return f"acknowledged until {moment(finding.acknowledged_until)}"
    if state is AuditFinding.State.CLOSED:
        return f"closed {moment(finding.closed_at or finding.acknowledged_until)}"
    return "open"


def found_by(run: JobRun) -> str:
    """How many findings a run had."""
    counts = ((run.errors, "error"), (run.warnings, "warning"))
    found = (f"{number:,} {word}{'' if number == 1 else 's'}" for number, word in counts if number)
    return ", ".join(found) or "none"


def findings_of(row: IssuedSession | Build) -> str:
    """Those of a session or a build, the newest first, whatever became of them."""
    now = timezone.now()
    found = row.findings.all()[:NEWEST]
    cells = (
        (link(each, each.rule), each.severity, describe_finding(each, now), each.what)
        for each in found
    )
    build = row.pk if isinstance(row, Build) else row.build_id
    address = list_address(AuditFinding, state="all", build=build)
    return newest(("Rule", "Severity", "State", "What"), cells, address, "All of the build")


def open_findings(now: datetime) -> Iterator[tuple[str, str]]:
    """Of each rule how many are open, as a sentence, and their list."""
    rows = AuditFinding.objects.order_by()
    counted = AuditFinding.objects.open(now).order_by("-pk").values("pk")[:MOST_COUNTED]
    groups = rows.filter(pk__in=counted).values("severity", "rule").annotate(number=Count("pk"))
    for each in groups.order_by("severity", "rule"):
        more = "+" if each["number"] == MOST_COUNTED else ""
        yield (
            f"{each['severity'].capitalize()} {each['rule']}: {each['number']}{more} open",
            list_address(AuditFinding, rule=each["rule"], severity=each["severity"]),
        )
