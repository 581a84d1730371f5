"""The admin's site: its throttled login, and its front page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, update_wrapper
from http import HTTPStatus
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import BadRequest
from django.db import connection
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import path
from django.utils import timezone


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
    """Django's admin with a throttled login and a front page of its own."""

    site_header = "ltdkeeper"
    site_title = "ltdkeeper"
    index_title = "Overview"
    index_template = "admin/keeper_index.html"
    enable_nav_sidebar = True

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The login page; 429 with `Retry-After` where a password was not looked at."""
        from ltdkeeper.admin.login import BrakedLoginForm  # noqa: PLC0415 - loads before models

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
        """Everything on it is for those who may look at what it is about."""
        from ltdkeeper.admin.overview import overview  # noqa: PLC0415 - the site loads before models

        now, may_see = timezone.now(), partial(self._may_see, request)
        return super().index(request, {**overview(now, may_see), **(extra_context or {})})

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
