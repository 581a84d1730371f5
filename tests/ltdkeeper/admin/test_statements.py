"""What each page of the admin asks of the database: few statements, whoever opens it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from builds.models import Build, Store
from credentials.models import Client, IssuedSession, JobToken
from tests.browser.addresses import addresses_of, patterns_by_name
from tests.browser.seed import Seed, rows_to_look_at
from tests.ltdkeeper.admin.big_pages import addresses, pastes

pytestmark = [pytest.mark.slow, pytest.mark.django_db, pytest.mark.usefixtures("groups")]

MOST = 12
# A product without builds takes its grants along: one more for each client that has one.
UNBOUNDED = re.compile(r"/admin/builds/product/\d+/delete/")
# A word may be all kinds of things, and each is looked up.
FIND_MOST = 13
EVERYTHING = "everything"


@pytest.fixture
def rows(store: Store) -> dict[str, Any]:
    """Rows of every kind, some of them to look at."""
    Seed(timezone.now()).run()
    Group.objects.create(name=EVERYTHING).permissions.set(Permission.objects.all())
    ContentType.objects.get_for_models(*apps.get_models())
    return {
        "session": IssuedSession.objects.filter(status="issued")[0],
        "build": Build.objects.filter(finished_at=None)[0],
        "job_token": JobToken.objects.exclude(api_key=None)[0],
    }


def calls(rows: dict[str, Any]) -> Iterator[tuple[str, dict[str, str] | None]]:
    """Every page, list, filter and kind of search: address and, of a POST, what it sends."""
    to_look_at = rows_to_look_at()
    for name in patterns_by_name():
        yield from ((address, None) for address in addresses_of(name, to_look_at))
    quiet = Client.objects.get(name="old-jenkins")
    yield from ((address, None) for address in addresses(**rows, quiet_client=quiet))
    yield from (("/admin/find/", {"text": text}) for text in pastes(**rows))


@pytest.mark.parametrize("group", ["viewer", EVERYTHING])  # who may least, who may most
def test_no_page_asks_more_than_so_often(group: str, rows: dict[str, Any]) -> None:
    user = User.objects.create_user("somebody", is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    browser = Browser()
    browser.force_login(user)
    asked = {}
    for address, sent in calls(rows):
        with CaptureQueriesContext(connection) as queries:
            browser.post(address, sent) if sent else browser.get(address)
        asked[f"{address} {sent or ''}".strip()] = len(queries)
    assert len(asked) > 300
    limits = {each: FIND_MOST if each.startswith("/admin/find/ ") else MOST for each in asked}
    over = {each: number for each, number in asked.items() if number > limits[each]}
    assert [each for each in over if not UNBOUNDED.fullmatch(each)] == []
