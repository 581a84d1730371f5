"""Refuse to issue for a store that no check has proven, where the operator wants it so."""

from django.conf import settings

from builds.models import Store
from credentials.errors import IsolationNotProven
from credentials.isolation.models import IsolationRun


def require_isolation(*, store: Store) -> None:
    """Under `LTD_REQUIRE_ISOLATION_CHECK`: IsolationNotProven unless the last check passed."""
    if not settings.LTD_REQUIRE_ISOLATION_CHECK:
        return
    last = IsolationRun.objects.last_of(store)
    if last is None or not last.passed:
        raise IsolationNotProven
