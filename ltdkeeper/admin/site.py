"""The admin's site: its addresses, and a front page with what the ledger says about today."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial, update_wrapper
from http import HTTPStatus
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import BadRequest
from django.db import connection
from django.db.models import Count, Model, Q
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import path
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


@contextmanager
def planned_by_value() -> Iterator[None]:
    """PostgreSQL plans each statement for its own values.

    A prepared statement may be planned for any values: then what matches nothing is looked for by
    going through the whole ledger.
    """
    if connection.vendor != "postgresql":
        yield
        return
    from django.db.backends.postgresql.base import Cursor  # noqa: PLC0415 - needs psycopg

    connection.ensure_connection()
    driver: Any = connection.connection
    usual, driver.cursor_factory = driver.cursor_factory, Cursor
    try:
        yield
    finally:
        driver.cursor_factory = usual


class KeeperAdminSite(AdminSite):
    """Django's admin with a throttled login and the ledger's figures on its front page."""

    site_header = "ltdkeeper"
    site_title = "ltdkeeper"
    index_title = "Overview"
    index_template = "admin/keeper_index.html"
    enable_nav_sidebar = True

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The login page; 429 with `Retry-After` where a password was not looked at."""
        from ltdkeeper.admin.login import BrakedLoginForm  # noqa: PLC0415 - as above

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
        """Figures and verdicts are for those who may look at what they are about."""
        from builds.models import Store  # noqa: PLC0415 - as above
        from credentials.models import (  # noqa: PLC0415
            IsolationRun,
            IssuedSession,
            last_verdicts,
        )

        may_see = self._may_see
        sees_verdicts = may_see(request, Store) and may_see(request, IsolationRun)
        context = {
            "figures": figures(timezone.now()) if may_see(request, IssuedSession) else None,
            "isolation": last_verdicts() if sees_verdicts else [],
            **(extra_context or {}),
        }
        return super().index(request, context)

    def get_urls(self) -> list[Any]:
        from ltdkeeper.admin.find import find  # noqa: PLC0415 - as above

        return [
            path("find/", self.admin_view(partial(find, site=self)), name="find"),
            *super().get_urls(),
        ]

    def _may_see(self, request: HttpRequest, model: type[Model]) -> bool:
        return self.get_model_admin(model).has_view_permission(request)

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002
        """The view, but for addresses with a NUL, which PostgreSQL does not take anywhere."""

        def without_nul(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            values = (value for values in request.GET.lists() for value in (values[0], *values[1]))
            if "\0" in request.path or any("\0" in value for value in values):
                raise BadRequest("There is a NUL in the address.")
            with planned_by_value():
                response: HttpResponse = view(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    response.render()  # which may ask the database too
            return response

        return super().admin_view(update_wrapper(without_nul, view), cacheable)
