"""Logging into the admin, braked.

A password can be guessed, an API key cannot. So unlike there, an address with too many failures
has to wait before its next password is looked at, right or not.
"""

from datetime import datetime
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.utils import timezone

from credentials.access.brakes import Brake, count_failure, seconds_to_wait
from ltdkeeper.origins import caller_address

TOO_MANY = "Too many failed logins from your address. Try again in %(seconds)s seconds."


class BrakedLoginForm(AdminAuthenticationForm):
    """Django's form; `seconds_to_wait` is set where it did not look at the password."""

    seconds_to_wait: int | None = None

    def clean(self) -> dict[str, Any]:
        now = timezone.now()
        self._require_turn(now)
        try:
            return super().clean()
        except ValidationError:
            count_failure(brake=Brake.LOGIN, address=self._address(), now=now)
            raise

    def _require_turn(self, now: datetime) -> None:
        seconds = seconds_to_wait(brake=Brake.LOGIN, address=self._address(), now=now)
        if seconds:
            self.seconds_to_wait = seconds
            raise ValidationError(TOO_MANY, params={"seconds": seconds})

    def _address(self) -> str:
        return caller_address(self.request) if self.request else ""
