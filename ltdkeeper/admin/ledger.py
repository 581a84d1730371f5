"""The ledger and the checks of isolation in the admin: read-only."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from credentials.models import IssuedSession
from credentials.models.runs import IsolationRun
from ltdkeeper.admin.records import RecordAdmin


@admin.register(IsolationRun)
class IsolationRunAdmin(RecordAdmin):
    """Checks of isolation, read-only. They are requested on the stores' list."""

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


@admin.register(IssuedSession)
class IssuedSessionAdmin(RecordAdmin):
    """The ledger, read-only: it is evidence."""

    list_display = (
        "requested_at",
        "status",
        "client_name",
        "root",
        "delivery",
        "expires_at",
        "access_key_id",
        "session_name",
    )
    list_filter = ("status", "delivery", "requested_at", "expires_at", "store_name")
    search_fields = (
        "^access_key_id",
        "^session_name",
        "^product_slug",
        "^client_name",
        "^token_name",
        "^root",
    )
    search_help_text = "Begins with: access key id, session name, product, client, API key, root."
    show_full_result_count = False

    def get_readonly_fields(
        self, request: HttpRequest, obj: IssuedSession | None = None
    ) -> list[str]:
        return [field.name for field in self.model._meta.fields]
