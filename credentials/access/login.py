"""Logging into the admin, braked.

A password can be guessed, an API key cannot. So unlike there, an address with too many failures
has to wait before its next password is looked at, right or not. Each is counted before it is
looked at: of any number at once, no more than the limit reach the slow hash.
"""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.utils import timezone

from credentials.access.brakes import Brake, count_failure, take_back
from ltdkeeper.origins import caller_address

TOO_MANY = "Too many failed logins from your address. Try again in %(seconds)s seconds."


class BrakedLoginForm(AdminAuthenticationForm):
    """Django's form; `seconds_to_wait` is set where it did not look at the password."""

    seconds_to_wait: int | None = None

    def clean(self) -> dict[str, Any]:
        now = timezone.now()
        address = caller_address(self.request) if self.request else ""
        self.seconds_to_wait = count_failure(brake=Brake.LOGIN, address=address, now=now)
        if self.seconds_to_wait:
            raise ValidationError(TOO_MANY, params={"seconds": self.seconds_to_wait})
        cleaned = super().clean()
        take_back(brake=Brake.LOGIN, address=address, now=now)
        return cleaned
