"""`manage.py revoke_key`: ends a key for good and says since when."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.management import CommandError, call_command
from django.utils import timezone

from credentials.access.callers import Caller, authenticate
from credentials.errors import InvalidCredentials
from credentials.models import ApiKey
from tests.conftest import raw_key

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def revoke(public_id: str) -> str:
    written = StringIO()
    call_command("revoke_key", public_id, stdout=written)
    return written.getvalue().strip()


@pytest.mark.parametrize("prefix", ["", "ltdk_"])
def test_revoked_key_opens_nothing(prefix: str, caller: Caller, api_key: ApiKey) -> None:
    revoke(f"{prefix}{api_key.public_id}")
    with pytest.raises(InvalidCredentials):
        authenticate(raw_token=raw_key(caller), name=None, now=timezone.now())


def test_answer_names_key_client_and_time(api_key: ApiKey) -> None:
    with time_machine.travel(NOW, tick=False):
        answer = revoke(api_key.public_id)
    assert answer == f"{api_key} of ci is revoked since 2026-11-23 12:00:00 UTC."


def test_second_run_keeps_the_first_time(api_key: ApiKey) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        first = revoke(api_key.public_id)
        clock.shift(timedelta(hours=1))
        assert revoke(api_key.public_id) == first
    assert LogEntry.objects.filter(action_flag=CHANGE).count() == 1


def test_revoking_is_in_the_admin_log(api_key: ApiKey) -> None:
    revoke(api_key.public_id)
    entry = LogEntry.objects.get(action_flag=CHANGE)
    assert (entry.user.username, entry.object_id) == ("command-line", str(api_key.pk))


@pytest.mark.parametrize("wrong", ["", "nowhere", "ltdk_", "*", "%"])
def test_unknown_key_is_a_sentence(wrong: str, api_key: ApiKey) -> None:
    with pytest.raises(CommandError, match="no API key with that id"):
        revoke(wrong)
    assert ApiKey.objects.get().revoked_at is None


def test_secret_shown_by_mistake_is_not_repeated(caller: Caller) -> None:
    with pytest.raises(CommandError) as caught:
        revoke(raw_key(caller))
    assert raw_key(caller) not in str(caught.value)
