"""The admin's site: its braked login, and a front page with what the ledger says about today."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.contrib.admin import AdminSite
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Sessions: alive now; issued, failed and withheld `since` midnight (UTC)."""

    now: str
    since: str
    active: int
    issued_today: int
    failed_today: int
    withheld_today: int


def figures(now: datetime) -> Figures:
    """One query over the ledger's newest rows; a session lives at most 12 hours."""
    from credentials.models import IssuedSession  # noqa: PLC0415 - the site loads before models

    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    status = IssuedSession.Status
    today = Q(requested_at__gte=midnight)
    recent = IssuedSession.objects.since(min(midnight, now - timedelta(hours=13)))
    return Figures(
        now=now.isoformat(),
        since=midnight.isoformat(),
        **recent.aggregate(
            active=Count("pk", filter=Q(status=status.ISSUED, expires_at__gt=now)),
            issued_today=Count("pk", filter=today & Q(status=status.ISSUED)),
            failed_today=Count("pk", filter=today & Q(status=status.FAILED)),
            withheld_today=Count("pk", filter=today & Q(status=status.WITHHELD)),
        ),
    )


class KeeperAdminSite(AdminSite):
    """Django's admin with a braked login and the ledger's figures on its front page."""

    site_header = "ltdkeeper"
    site_title = "ltdkeeper"
    index_title = "Overview"
    index_template = "admin/keeper_index.html"
    enable_nav_sidebar = True

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The login page; 429 with `Retry-After` where a password was not looked at."""
        from credentials.access.login import BrakedLoginForm  # noqa: PLC0415 - needs the models

        self.login_form = BrakedLoginForm
        response = super().login(request, extra_context)
        form = getattr(response, "context_data", {}).get("form")
        if isinstance(form, BrakedLoginForm) and form.seconds_to_wait:
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
            response["Retry-After"] = str(form.seconds_to_wait)
        return response

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        from credentials.isolation.models import last_verdicts  # noqa: PLC0415 - as above

        context = {
            "figures": figures(timezone.now()),
            "isolation": last_verdicts(),
            **(extra_context or {}),
        }
        return super().index(request, context)
