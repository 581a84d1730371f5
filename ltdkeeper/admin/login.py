"""Logging into the admin: the password, then a code where the account has a second factor.

Passwords and codes can be guessed, an API key cannot. So unlike there, an address with too many
failures has to wait before its next attempt is checked, correct or not. Each is counted before it
is checked: of any number of concurrent attempts, no more than the limit reach the slow hash.
"""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import login as log_in
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.generic import FormView
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from credentials.access.refusals import FAILED_CODE, FAILED_LOGIN, RefusedCall, refusals
from credentials.access.throttling import Throttle, count_failure, take_back
from ltdkeeper.admin import second_factor
from ltdkeeper.api.authentication import caller_address

# Nobody looks at the secrets of others' devices.
admin.site.unregister([TOTPDevice, StaticDevice])

TOO_MANY = "Too many failed logins from your address. Try again in %(seconds)s seconds."
PASSWORDS = "ltdkeeper.admin.login.AccountBackend"
# In the session: whose password was right, and that a second factor was.
PENDING, MET = "second_factor_pending", "second_factor_met"
PENDING_SECONDS = 600


class AccountBackend(ModelBackend):
    """Django's accounts and passwords. What somebody may is one statement, where Django has two."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if (
            user_obj.is_active
            and not user_obj.is_superuser
            and not hasattr(user_obj, "_perm_cache")
        ):
            user_obj._perm_cache = granted_permissions(user_obj)  # noqa: SLF001 - Django's own
        return super().get_all_permissions(user_obj, obj)


def granted_permissions(account: User) -> set[str]:
    """What an account was given, active or not, itself or through its groups: `app.codename`."""
    own = User.user_permissions.through.objects.filter(user=account)
    of_groups = Group.permissions.through.objects.filter(group__user=account)
    ids = own.values("permission").union(of_groups.values("permission"))
    granted = Permission.objects.filter(pk__in=ids).order_by()
    names = granted.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in names}


def has_met_second_factor(request: HttpRequest) -> bool:
    """Whether a login may use the admin: one from before `LTD_REQUIRE_SECOND_FACTOR` may not."""
    return not settings.LTD_REQUIRE_SECOND_FACTOR or request.session.get(MET) is True


def count_failed_attempt(request: HttpRequest, reason: str) -> None:
    """The name that was tried is not kept: people type their passwords there."""
    refusals.add(RefusedCall(caller_address(request), reason), now=timezone.now())


@receiver(user_login_failed)
def count_failed_login(request: HttpRequest | None = None, **_kwargs: Any) -> None:
    if request is not None:
        count_failed_attempt(request, FAILED_LOGIN)


class ThrottledForm(forms.Form):
    """Counts each attempt; `seconds_to_wait` is set where it was not looked at."""

    request: HttpRequest | None
    seconds_to_wait: int | None = None

    def clean(self) -> dict[str, Any]:
        now = timezone.now()
        address = caller_address(self.request) if self.request else ""
        self.seconds_to_wait = count_failure(throttle=Throttle.LOGIN, address=address, now=now)
        if self.seconds_to_wait:
            raise ValidationError(TOO_MANY, params={"seconds": self.seconds_to_wait})
        self.check_attempt()
        take_back(throttle=Throttle.LOGIN, address=address, now=now)
        return self.cleaned_data

    def check_attempt(self) -> None:
        """Raises ValidationError for what is wrong."""
        raise NotImplementedError


class ThrottledView:
    """Responds to an attempt that was not looked at with 429 and `Retry-After`."""

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)  # type: ignore[misc]
        if form.seconds_to_wait:
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
            response["Retry-After"] = str(form.seconds_to_wait)
        return response


class PasswordForm(ThrottledForm, AdminAuthenticationForm):
    def check_attempt(self) -> None:
        AdminAuthenticationForm.clean(self)


class PasswordView(ThrottledView, LoginView):
    """Asks for name and password, and goes on to the code where one is needed."""

    authentication_form = PasswordForm
    template_name = "admin/keeper_login.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        issuer = urlsplit(settings.LTD_ADMIN_OIDC_ISSUER).hostname
        return {**super().get_context_data(**kwargs), "issuer": issuer}

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if not second_factor.is_asked_of(user):
            return super().form_valid(form)
        self.request.session[PENDING] = {
            "user": user.pk,
            "password": user.get_session_auth_hash(),
            "until": timezone.now().timestamp() + PENDING_SECONDS,
            "next": self.get_success_url(),
        }
        return redirect("admin:second_factor")


def pending_user(request: HttpRequest) -> User | None:
    """Whose password was right in this session, within the last ten minutes."""
    pending = request.session.get(PENDING)
    if not pending or timezone.now().timestamp() > pending["until"]:
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True, is_staff=True).first()
    if user and constant_time_compare(user.get_session_auth_hash(), pending["password"]):
        return user
    return None


def begin_again(request: HttpRequest) -> HttpResponse:
    """To the password; whoever showed one is told why."""
    if request.session.pop(PENDING, None):
        messages.warning(request, "Your login was not finished in time. Log in again.")
    return redirect("admin:login")


def finish_login(request: HttpRequest, user: User) -> str:
    """Log in whose second factor was right; the address to go on to."""
    pending = request.session.pop(PENDING)
    log_in(request, user, backend=PASSWORDS)
    request.session[MET] = True
    return str(pending["next"])


class CodeForm(ThrottledForm):
    """A code of the device, or a recovery code."""

    code = forms.CharField(
        max_length=30,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True}),
    )

    def __init__(self, *args: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request, self.user = request, user

    @sensitive_variables()
    def check_attempt(self) -> None:
        code = self.cleaned_data.get("code", "")
        if not self.is_right(code):
            if self.request:
                count_failed_attempt(self.request, FAILED_CODE)
            wait = second_factor.seconds_to_wait(user=self.user, code=code)
            hint = f" Wait {wait} seconds before the next." if wait > 1 else ""
            raise ValidationError(f"That code is wrong, or was used before.{hint}")

    def is_right(self, code: str) -> bool:
        return second_factor.use_code(user=self.user, code=code)


class FirstCodeForm(CodeForm):
    """The first code of a device that is being set up."""

    def is_right(self, code: str) -> bool:
        return second_factor.confirm_device(user=self.user, code=code)


@method_decorator([never_cache, sensitive_post_parameters("code")], name="dispatch")
class CodeView(ThrottledView, FormView):  # type: ignore[type-arg]
    """After the password: asks for the code, and logs in."""

    form_class = CodeForm
    template_name = "admin/second_factor/code.html"
    title = "Second factor"
    user: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = pending_user(request)
        if user is None:
            return begin_again(request)
        if not second_factor.is_set_up(user):
            return redirect("admin:second_factor_setup")
        self.user = user
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request, "user": self.user}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = admin.site.each_context(self.request)
        return {**context, "title": self.title, **super().get_context_data(**kwargs)}

    def form_valid(self, form: CodeForm) -> HttpResponse:
        address = finish_login(self.request, self.user)
        if not second_factor.is_device_code(form.cleaned_data["code"]):
            left = second_factor.recovery_codes_left(self.user)
            messages.warning(self.request, f"{left} recovery codes are left.")
        return HttpResponseRedirect(address)


@method_decorator([never_cache, sensitive_post_parameters("code")], name="dispatch")
class SetupView(CodeView):
    """Shows a device's secret until its first code was right, then the recovery codes, once."""

    form_class = FirstCodeForm
    template_name = "admin/second_factor/setup.html"
    title = "Set up a second factor"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        user = pending_user(request)
        if user is None and admin.site.has_permission(request):
            user = User.objects.get(username=request.user.get_username())
        if user is None:
            return begin_again(request)
        self.user = user
        if second_factor.is_set_up(user):
            return redirect("admin:second_factor") if PENDING in request.session else self.done()
        return FormView.dispatch(self, request, *args, **kwargs)

    def done(self, codes: list[str] | None = None, address: str = "") -> HttpResponse:
        """The page after it: with the recovery codes if they were made just now."""
        self.template_name = "admin/second_factor/done.html"
        context = admin.site.each_context(self.request)
        return self.render_to_response(
            {**context, "title": self.title, "codes": codes, "next": address}
        )

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shown = second_factor.unconfirmed_device(self.user)
        return {**super().get_context_data(**kwargs), "device": shown}

    @sensitive_variables()
    def form_valid(self, form: CodeForm) -> HttpResponse:
        codes = second_factor.make_recovery_codes(self.user)
        if PENDING in self.request.session:
            return self.done(codes, finish_login(self.request, self.user))
        self.request.session[MET] = True
        return self.done(codes)
