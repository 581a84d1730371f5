"""The admin's site: its throttled login, and its front page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, update_wrapper
from http import HTTPStatus
from typing import Any, cast

from django.contrib.admin import AdminSite
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache


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
    site_url = None  # the API, which has no pages

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, with a second factor where one is required."""
        from ltdkeeper.admin.login import has_met_second_factor  # noqa: PLC0415 - as below

        return super().has_permission(request) and has_met_second_factor(request)

    @method_decorator(never_cache)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's login page, by a view of our own."""
        from ltdkeeper.admin.login import PasswordView  # noqa: PLC0415 - as below

        if request.method == "GET" and self.has_permission(request):
            return redirect("admin:index")
        context = {
            **self.each_context(request),
            "title": "Log in",
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            **(extra_context or {}),
        }
        response: Any = PasswordView.as_view(extra_context=context)(request)
        return cast("HttpResponse", response)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Django's own, which is the one change of an account that Django does not log."""
        from django.contrib.admin.models import CHANGE  # noqa: PLC0415 - as above

        from credentials.access.clients import log_action  # noqa: PLC0415

        response = super().password_change(request, extra_context)
        account: Any = request.user
        if response.status_code == HTTPStatus.FOUND:
            log_action(account, account, CHANGE, "Changed password.")
        return response

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Everything on it is for those who may look at what it is about."""
        from ltdkeeper.admin.links import may_view  # noqa: PLC0415 - the site loads before models
        from ltdkeeper.admin.overview import overview  # noqa: PLC0415

        shown = overview(timezone.now(), partial(may_view, request))
        return super().index(request, {**shown, **(extra_context or {})})

    def get_urls(self) -> list[Any]:
        """Ours first: Django's last pattern takes everything."""
        from ltdkeeper.admin.find import find  # noqa: PLC0415 - as above
        from ltdkeeper.admin.login import CodeView, SetupView  # noqa: PLC0415
        from ltdkeeper.admin.oidc_sign_in import CallbackView, SignInView  # noqa: PLC0415
        from ltdkeeper.admin.revoke import end_view, revoke_view  # noqa: PLC0415

        return [
            path("find/", self.admin_view(find), name="find"),
            path("revoke/<str:kind>/", self.admin_view(revoke_view), name="revoke_selected"),
            path("revoke/<str:kind>/<str:key>/", self.admin_view(revoke_view), name="revoke"),
            path("end/<str:kind>/", self.admin_view(end_view), name="end"),
            path("second-factor/", CodeView.as_view(), name="second_factor"),
            path("second-factor/setup/", SetupView.as_view(), name="second_factor_setup"),
            path("oidc/sign-in/", SignInView.as_view(), name="oidc_sign_in"),
            path("oidc/callback/", CallbackView.as_view(), name="oidc_callback"),
            *super().get_urls(),
        ]

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002
        """The view, but for addresses with a NUL, which PostgreSQL does not take anywhere. What is
        not found, or not allowed, has a page, too.
        """

        def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            values = (value for values in request.GET.lists() for value in (values[0], *values[1]))
            if "\0" in request.path or any("\0" in value for value in values):
                raise BadRequest("There is a NUL in the address.")
            with planned_by_value():
                try:
                    response: HttpResponse = view(request, *args, **kwargs)
                except (Http404, PermissionDenied) as err:
                    response = self._refusal(request, err)
                if isinstance(response, SimpleTemplateResponse):
                    response.render()  # which may ask the database too
            return response

        return super().admin_view(update_wrapper(wrapped, view), cacheable)

    def _refusal(self, request: HttpRequest, err: Exception) -> TemplateResponse:
        is_missing = isinstance(err, Http404)
        status, title = (404, "Page not found") if is_missing else (403, "Not allowed")
        shown = {**self.each_context(request), "title": title}
        return TemplateResponse(request, f"admin/{status}.html", shown, status=status)
