"""Revocations in the admin: what was decided, by whom and why, and their state at the store."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.timesince import timesince

from credentials.models import JobRun, Revocation
from ltdkeeper.admin.links import NEWEST, anchor, lines, link, list_address
from ltdkeeper.admin.records import RecordAdmin
from ltdkeeper.admin.revoke import may_revoke

# What a state means, and what it waits for.
REQUESTED = (
    "waits for manage.py write_revocations, which the clock or cron should run every minute; the "
    "store refuses the sessions for certain once this says verified"
)
WRITTEN = (
    "in the role's policy and read back. The store has not refused a "
    "session of the same name yet; on AWS that can take minutes"
)
VERIFIED = "the store refused a session of the same name"
AGAIN = "The next run of manage.py write_revocations tries again."


def describe_state(revocation: Revocation, now: datetime) -> str:
    """The state in a sentence, with its age and with what to do."""
    match revocation.state:
        case Revocation.State.FAILED:
            return f"failed {_ago(revocation.failed_at, now)}: {revocation.problem} {AGAIN}"
        case Revocation.State.VERIFIED:
            return f"verified {_ago(revocation.verified_at, now)}: {VERIFIED}"
        case Revocation.State.WRITTEN:
            return f"written {_ago(revocation.written_at, now)}: {WRITTEN}"
        case _ if revocation.ends_at <= now:
            return f"over: its last session ended by itself {_ago(revocation.ends_at, now)}"
        case _:
            return f"requested {_ago(revocation.requested_at, now)}: {REQUESTED}"


def _ago(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return ""
    is_recent = now - moment < timedelta(minutes=1)
    return "less than a minute ago" if is_recent else f"{timesince(moment, now)} ago"


@admin.register(Revocation)
class RevocationAdmin(RecordAdmin):
    """Decisions, read-only."""

    list_display = (
        "requested_at",
        "state",
        "target",
        "session_count",
        "requested_by",
        "reason",
    )
    is_exported = True
    list_filter = ("state", "kind", "store")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("state_now", "target", "reason", "requested_by", "requested_at")}),
        ("Sessions", {"fields": ("session_count", "sessions", "before", "new_sessions")}),
        (
            "At the store",
            {"fields": ("store", "written_at", "verified_at", "failed_at", "ends_at", "runs")},
        ),
    )

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may revoke sees what became of it."""
        return may_revoke(request) or super().has_view_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [str(name) for _title, part in self.fieldsets for name in part["fields"]]

    @admin.display(description="state")
    def state_now(self, revocation: Revocation) -> str:
        return describe_state(revocation, timezone.now())

    @admin.display(description="what was revoked")
    def target(self, revocation: Revocation) -> str:
        return f"{revocation.get_kind_display()} {revocation.target_name}"

    @admin.display(description="new sessions")
    def new_sessions(self, revocation: Revocation) -> str:
        return (
            "allowed"
            if revocation.may_go_on
            else ("the credential that requested these has ended as well")
        )

    @admin.display(description="who writes it")
    def runs(self, _revocation: Revocation) -> str:
        runs = list_address(JobRun, job="write_revocations")
        return anchor(runs, "Runs of write_revocations")

    @admin.display(description="the newest")
    def sessions(self, revocation: Revocation) -> str:
        rows = revocation.sessions.order_by("-expires_at")[:NEWEST]
        return lines(format_html("{} {}", link(row, row.access_key_id), row.root) for row in rows)
