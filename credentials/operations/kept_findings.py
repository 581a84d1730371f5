"""What becomes of new findings: each is reported to webhooks, and all of a run in one mail to
LTD_MAIL_FINDINGS; people acknowledge them until a time.
"""

from datetime import datetime, timedelta
from smtplib import SMTPException
from typing import Any

import structlog
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.db import transaction

from builds.names import escape_controls, has_controls
from credentials.models import AuditFinding, EventKind, JobRun, record_event
from credentials.models.audits import ACKNOWLEDGEMENT, NOTE_LENGTH, AuditFindingQuerySet
from credentials.operations.findings import Severity

MOST_NAMED = 20
LONGEST_ACKNOWLEDGEMENT = timedelta(days=366)

log = structlog.get_logger(__name__)


def is_alerting(severity: str) -> bool:
    """Whether a new finding of that severity is reported."""
    return severity == Severity.ERROR or settings.LTD_ALERT_SEVERITY == Severity.WARNING


def record_opened(finding: AuditFinding, now: datetime) -> None:
    """Write the event of a finding that was not open before, in the caller's transaction."""
    names = ("fingerprint", "job", "rule", "subject", "severity", "what", "change", "access_key_id")
    payload = {name: getattr(finding, name) for name in names}
    payload["store"] = finding.store.name if finding.store else ""
    record_event(EventKind.FINDING_OPENED, subject=finding.fingerprint, payload=payload, now=now)


def send_mail_of(run: JobRun, now: datetime) -> str:
    """Send what is due, also of runs before it that were killed. What went wrong, or nothing.

    What cannot be sent stays due: the next run tries again.
    """
    unsent = AuditFinding.objects.of(run.job, run.store).filter(is_unsent=True)
    due = unsent.open(now)
    if settings.LTD_MAIL_FINDINGS and (count := due.count()):
        named = list(due.order_by("severity", "-pk")[:MOST_NAMED])
        try:
            _mail(run, named, count).send()
        except (SMTPException, OSError) as err:
            log.warning("mail_not_sent", job=run.job, error=type(err).__name__)
            return f"The mail about {count} new findings was not sent: {type(err).__name__}."
    unsent.update(is_unsent=False)
    return ""


def _mail(run: JobRun, named: list[AuditFinding], count: int) -> EmailMessage:
    of_store = f" of the store {run.store.name}" if run.store else ""
    pages = f"{settings.LTD_PUBLIC_URL}/admin/credentials/auditfinding/"
    lines = [
        f"{each.severity} {each.rule}: {escape_controls(each.subject)}\n"
        f"  {escape_controls(each.what)}\n  {pages}{each.pk}/change/"
        for each in named
    ]
    more = [f"And {count - len(named)} more: {pages}"] if count > len(named) else []
    return EmailMessage(
        subject=f"{count} new finding{'' if count == 1 else 's'} by {run.job}{of_store}",
        body="\n\n".join([*lines, *more]),
        to=settings.LTD_MAIL_FINDINGS,
    )


def acknowledge(
    *, findings: AuditFindingQuerySet, actor: User, note: str, until: datetime, now: datetime
) -> int:
    """Accept findings until a time: no job fails for them, and none is reported. Returns how many.

    Raises ValidationError. The admin's log has the note.
    """
    require_possible_end(until=until, now=now)
    require_note(note)
    by = actor.get_username()
    words = f"Acknowledged until {until:%F %H:%M} UTC. Reason: {note}"
    return _decide(findings, actor, words, (now, by, until, note))


def require_note(note: str) -> None:
    """One line, as the admin asks for it. Raises ValidationError."""
    if not note.strip() or len(note) > NOTE_LENGTH or has_controls(note):
        raise ValidationError(f"Say why, in one line of at most {NOTE_LENGTH} characters.")


def require_possible_end(*, until: datetime, now: datetime) -> None:
    """Raises ValidationError."""
    if not now < until <= now + LONGEST_ACKNOWLEDGEMENT:
        raise ValidationError("Give a day in the future, at most a year ahead.")


def withdraw_acknowledgement(*, findings: AuditFindingQuerySet, actor: User, note: str) -> int:
    """Make acknowledged findings open again. How many. Raises ValidationError."""
    require_note(note)
    acknowledged = findings.filter(acknowledged_until__isnull=False)
    return _decide(acknowledged, actor, f"Acknowledgement withdrawn. Reason: {note}", ())


def _decide(findings: AuditFindingQuerySet, actor: User, words: str, acknowledgement: Any) -> int:
    with transaction.atomic():
        chosen = AuditFinding.objects.filter(pk__in=findings.values("pk"))
        rows = list(chosen.select_for_update())
        for row in rows:
            row.acknowledge(*acknowledgement)
        AuditFinding.objects.bulk_update(rows, ACKNOWLEDGEMENT)
        LogEntry.objects.log_actions(actor.pk, rows, CHANGE, words)
    return len(rows)
