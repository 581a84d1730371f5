"""Acknowledgements of findings: until when one is known and accepted."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from builds.names import has_controls
from credentials.models import AuditFinding
from credentials.models.audits import ACKNOWLEDGEMENT, NOTE_LENGTH, AuditFindingQuerySet

LONGEST_ACKNOWLEDGEMENT = timedelta(days=366)


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
