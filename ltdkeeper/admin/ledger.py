"""The ledger in the admin: read-only.

A session's page says who has it, what it may do, its life, and how to find it in a store's log.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from credentials.models import AuditFinding, IssuedSession, JobToken, Revocation
from credentials.rules.log_searches import log_searches
from credentials.rules.policy import permissions
from ltdkeeper.admin.audits import findings_of
from ltdkeeper.admin.filters import ByClient, ByStore
from ltdkeeper.admin.links import NOTHING, folded, lines, link, moment, table, whole_lines
from ltdkeeper.admin.pages import Page, is_page
from ltdkeeper.admin.records import BigListAdmin
from ltdkeeper.admin.revocations import describe_state
from ltdkeeper.admin.revoke import RevocableAdmin
from ltdkeeper.admin.session_filters import (
    SessionBuild,
    SessionDelivery,
    SessionProduct,
    SessionState,
    SessionTime,
    SessionToken,
)
from ltdkeeper.admin.tokens import ci_job, linked_token, token_rows

# A store's log may be a little ahead of or behind our clock.
LOG_MARGIN = timedelta(minutes=5)


def events(session: IssuedSession, now: datetime) -> list[tuple[datetime, str]]:
    """What happened to a session, and what will, in order."""
    outcome = {
        IssuedSession.Status.ISSUED: "issued: returned to its caller",
        IssuedSession.Status.FAILED: f"failed: {session.failure_code}",
        IssuedSession.Status.WITHHELD: "withheld: the right ended, or a minute passed, meanwhile",
    }
    ends = "expires" if session.expires_at and session.expires_at > now else "expired"
    found = (
        (session.requested_at, "requested: recorded before the call to the store"),
        (session.completed_at, outcome.get(IssuedSession.Status(session.status), "")),
        (session.last_served_at, "last served again to the same caller"),
        (session.revoked_at, "revoked"),
        (session.expires_at, ends),
    )
    return sorted(((when, what) for when, what in found if when), key=lambda event: event[0])


def brief(left: timedelta) -> str:
    """A time in whole minutes, as 43 min or 2 h 5 min; the last minute in seconds."""
    seconds = int(left.total_seconds())
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def described_state(session: IssuedSession, now: datetime) -> str:
    """In words; of an active session with what is left of it."""
    if session.state(now) is not IssuedSession.State.ACTIVE or session.expires_at is None:
        return session.described_state(now)
    return f"active, ends in {brief(session.expires_at - now)}"


@admin.register(IssuedSession)
class IssuedSessionAdmin(Page, RevocableAdmin, BigListAdmin):
    """The ledger, read-only: it is evidence. What is live can be revoked."""

    actions = ("revoke",)
    revoked_as = "session"
    revoke_label = "Revoke session"

    list_display = (
        "requested_at",
        "state_now",
        "of_client",
        "product",
        "of_build",
        "access_key_id",
    )
    list_filter = (
        *(SessionState, SessionDelivery, SessionTime, ByClient, SessionProduct, ByStore),
        *(SessionBuild, SessionToken),
    )
    page_select_related = ("build__product", "client", "store", "revocation", "policy_template")
    seen_with = {
        "job": JobToken,
        "revoked_by": Revocation,
        "its_findings": AuditFinding,
    }
    questions = (
        ("Who", ("state_until", "client_link", "token", "job", "caller")),
        ("What it may do", ("build_link", "product_link", "store_link", "purpose", "may")),
        ("Its life", ("life", "duration", "revoked_by")),
        ("What audits found", ("its_findings",)),
        (
            "What the store calls it",
            (
                *("access_key_id", "session_name", "assumed_role_id", "role_arn"),
                *("sts_request_id", "packed_policy_percent"),
            ),
        ),
        ("In the store's own log", ("searches",)),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[IssuedSession]:
        rows = super().get_queryset(request).select_related("revocation")
        return rows if is_page(request) else rows.defer("policy", "caller_agent")

    @admin.display(description="state")
    def state_now(self, session: IssuedSession) -> str:
        return described_state(session, timezone.now())

    @admin.display(description="product")
    def product(self, session: IssuedSession) -> str:
        return session.product_slug

    @admin.display(description="build")
    def of_build(self, session: IssuedSession) -> str:
        return session.build_slug

    @admin.display(description="client")
    def of_client(self, session: IssuedSession) -> str:
        return session.client_name

    @admin.action(description="Revoke selected sessions", permissions=["revoke"])
    def revoke(
        self, request: HttpRequest, queryset: QuerySet[IssuedSession]
    ) -> HttpResponse | None:
        return self.confirm(request, "revoke_selected", queryset)

    @admin.display(description="client")
    def client_link(self, session: IssuedSession) -> str:
        return link(session.client, session.client_name)

    @admin.display(description="token")
    def token(self, session: IssuedSession) -> str:
        return linked_token(session.token_name)

    @admin.display(description="CI job")
    def job(self, session: IssuedSession) -> str:
        return ci_job(token_rows(session.token_name).job_token)

    @admin.display(description="caller")
    def caller(self, session: IssuedSession) -> str:
        return lines(filter(None, (session.caller_address, session.caller_agent)))

    @admin.display(description="build")
    def build_link(self, session: IssuedSession) -> str:
        return link(session.build, session.root)

    @admin.display(description="product")
    def product_link(self, session: IssuedSession) -> str:
        return link(session.build and session.build.product, session.product_slug)

    @admin.display(description="store")
    def store_link(self, session: IssuedSession) -> SafeString:
        name = link(session.store, session.store_name)
        return format_html("{}, bucket {}", name, session.bucket_name)

    @admin.display(description="requested as")
    def purpose(self, session: IssuedSession) -> str:
        if session.signed_by_identity:
            return (
                "presigned POSTs, signed by the store's POST-signing identity: there was no "
                "session, and what was signed ends only with that identity's key"
            )
        return session.get_delivery_display()

    @admin.display(description="permissions")
    def may(self, session: IssuedSession) -> SafeString:
        if not (text := session.policy_text):
            return format_html("The policy cannot be restored. SHA-256: {}", session.policy_sha256)
        rows = (
            (each.effect, whole_lines(each.actions), lines(each.resources_in_words()))
            for each in permissions(text)
        )
        shown = table(("Effect", "Actions", "Resources"), rows)
        restored = ", restored: its SHA-256 is the recorded one" if session.policy_sha256 else ""
        return format_html("{}{}", shown, folded(f"The policy as it was sent{restored}", text))

    @admin.display(description="state")
    def state_until(self, session: IssuedSession) -> str:
        """The state, and of an active session also when it ends."""
        now = timezone.now()
        words = described_state(session, now)
        is_active = session.state(now) is IssuedSession.State.ACTIVE
        return f"{words}, at {moment(session.expires_at)}" if is_active else words

    @admin.display(description="requested for")
    def duration(self, session: IssuedSession) -> str:
        """How long it was to live, and who said so."""
        seconds = session.duration_seconds
        product = session.build and session.build.product
        if product and product.session_seconds == seconds:
            why = "the product's session duration"
        elif seconds == settings.LTD_SESSION_SECONDS:
            why = "the service's default"
        else:
            why = "as its caller asked, or as its delivery needs"
        return f"{brief(timedelta(seconds=seconds))}: {why}"

    @admin.display(description="events")
    def life(self, session: IssuedSession) -> str:
        found = events(session, timezone.now())
        return table(("When", "What"), ((moment(when), what) for when, what in found))

    @admin.display(description="revocation")
    def revoked_by(self, session: IssuedSession) -> str:
        decision = session.revocation
        if decision is None:
            return "none"
        about = f"by {decision.requested_by}: {decision.reason}"
        return lines((link(decision), about, describe_state(decision, timezone.now())))

    @admin.display(description="findings")
    def its_findings(self, session: IssuedSession) -> str:
        return findings_of(session)

    @admin.display(description="search terms")
    def searches(self, session: IssuedSession) -> str:
        ends_at = session.expires_at or session.requested_at
        found = log_searches(
            access_key_id=session.access_key_id,
            begins_at=session.requested_at - LOG_MARGIN,
            ends_at=ends_at + LOG_MARGIN,
        )
        return format_html_join("", "<p>{}</p><pre>{}</pre>", found) or NOTHING
