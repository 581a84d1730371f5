"""Reports new findings: each to webhooks, and all of a run in one mail to LTD_MAIL_FINDINGS."""

from datetime import datetime
from smtplib import SMTPException

import structlog
from django.conf import settings
from django.core.mail import EmailMessage

from builds.names import escape_controls
from credentials.models import AuditFinding, EventKind, JobRun, record_event
from credentials.operations.findings import Severity

MOST_NAMED = 20

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
