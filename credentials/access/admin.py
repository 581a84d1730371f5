"""Job tokens in the admin."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from credentials.access.jobs import end_job_token
from credentials.access.models import JobToken
from ltdkeeper.admin import RecordAdmin


@admin.register(JobToken)
class JobTokenAdmin(RecordAdmin):
    """What CI jobs hold, to look at, and to end before its time."""

    list_display = (
        "token_name",
        "opens",
        "expires_at",
        "ended_at",
        "client",
        "origin",
        "identity",
        "created_at",
    )
    list_filter = ("expires_at", "ended_at", "client", "publisher")
    search_fields = ("^public_id", "identity", "client__name")
    search_help_text = "Begins with the public id; or holds a part of identity or client."
    show_full_result_count = False
    actions = ("end",)
    fields = readonly_fields = list_display

    def get_queryset(self, request: HttpRequest) -> QuerySet[JobToken]:
        tokens = super().get_queryset(request).select_related("client", "publisher", "api_key")
        return tokens.prefetch_related("products")

    @admin.display(description="came from")
    def origin(self, token: JobToken) -> str:
        return str(token.publisher or token.api_key)

    @admin.display(description="products")
    def opens(self, token: JobToken) -> str:
        return ", ".join(sorted(product.slug for product in token.products.all()))

    @admin.action(description="End selected job tokens", permissions=["change"])
    def end(self, request: HttpRequest, queryset: QuerySet[JobToken]) -> None:
        for token in queryset.filter(ended_at=None):
            end_job_token(job_token=token, now=timezone.now())
            self.log_change(request, token, "Ended.")
        self.message_user(request, "Ended: the next call with them is refused.")
