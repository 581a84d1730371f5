"""Logging into the admin, throttled.

A password can be guessed, an API key cannot. So unlike there, an address with too many failures
has to wait before its next password is looked at, right or not. Each is counted before it is
looked at: of any number at once, no more than the limit reach the slow hash.
"""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import ValidationError
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from credentials.access.refusals import FAILED_LOGIN, RefusedCall, refusals
from credentials.access.throttling import Throttle, count_failure, take_back
from ltdkeeper.api.origins import caller_address

TOO_MANY = "Too many failed logins from your address. Try again in %(seconds)s seconds."


@receiver(user_login_failed)
def count_failed_login(request: HttpRequest | None = None, **_kwargs: Any) -> None:
    """The name that was tried is not kept: people type their passwords there."""
    if request is not None:
        call = RefusedCall(address=caller_address(request), reason=FAILED_LOGIN)
        refusals.add(call, now=timezone.now())


class BrakedLoginForm(AdminAuthenticationForm):
    """Django's form; `seconds_to_wait` is set where it did not look at the password."""

    seconds_to_wait: int | None = None

    def clean(self) -> dict[str, Any]:
        now = timezone.now()
        address = caller_address(self.request) if self.request else ""
        self.seconds_to_wait = count_failure(throttle=Throttle.LOGIN, address=address, now=now)
        if self.seconds_to_wait:
            raise ValidationError(TOO_MANY, params={"seconds": self.seconds_to_wait})
        cleaned = super().clean()
        take_back(throttle=Throttle.LOGIN, address=address, now=now)
        return cleaned
