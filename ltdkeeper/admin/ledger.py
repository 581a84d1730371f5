"""The ledger and the checks of isolation in the admin: read-only."""

from datetime import timedelta

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from credentials.models import IssuedSession
from credentials.models.runs import IsolationRun
from ltdkeeper.admin.filters import ByClient, ByStore
from ltdkeeper.admin.pages import is_page
from ltdkeeper.admin.records import BigListAdmin, RecordAdmin
from ltdkeeper.admin.revoke import RevocableAdmin
from ltdkeeper.admin.session_filters import (
    SessionBuild,
    SessionDelivery,
    SessionProduct,
    SessionState,
    SessionTime,
    SessionToken,
)
from ltdkeeper.admin.session_page import SessionPage


@admin.register(IsolationRun)
class IsolationRunAdmin(RecordAdmin):
    """Checks of isolation, read-only. They are requested on the stores' list."""

    is_exported = True
    list_display = ("store", "verdict", "summary", "requested_at", "finished_at")
    list_filter = ("passed", "store")
    list_select_related = ("store",)
    fields = (
        *("store", "verdict", "summary", "bucket", "endpoint_url", "role_arn"),
        *("requested_by", "requested_at", "finished_at", "calls"),
    )
    readonly_fields = fields

    @admin.display(description="calls")
    def calls(self, run: IsolationRun) -> SafeString:
        """A row for each call that was made."""
        rows = (
            (line["call"], line["expected"], line["outcome"], line["answer"]) for line in run.lines
        )
        body = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", rows)
        head = "<thead><tr><th>Call</th><th>Must be</th><th>Was</th><th>Answer</th></tr></thead>"
        return format_html("<table>{}<tbody>{}</tbody></table>", mark_safe(head), body)  # noqa: S308


def brief(left: timedelta) -> str:
    """A time in whole minutes, as 43 min or 2 h 5 min; the last minute in seconds."""
    seconds = int(left.total_seconds())
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds} s"
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


@admin.register(IssuedSession)
class IssuedSessionAdmin(RevocableAdmin, SessionPage, BigListAdmin):
    """The ledger, read-only: it is evidence. What is live can be revoked."""

    actions = ("revoke",)
    revoked_as = "session"

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

    def get_queryset(self, request: HttpRequest) -> QuerySet[IssuedSession]:
        rows = super().get_queryset(request)
        return rows if is_page(request) else rows.defer("policy", "caller_agent")

    @admin.display(description="state")
    def state_now(self, session: IssuedSession) -> str:
        """In words; of an active session with what is left of it."""
        now = timezone.now()
        state = session.state(now)
        if state is not IssuedSession.State.ACTIVE or session.expires_at is None:
            return state.label.lower()
        return f"active, ends in {brief(session.expires_at - now)}"

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
