"""Objects of deleted builds are removed, on request only, and nothing else is touched."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.utils import timezone

from builds.models import Build, Product, Store
from builds.services import record_purge
from credentials.access.callers import Origin
from credentials.errors import BuildInUse, ObjectsRemain
from credentials.models import Delivery, IssuedSession
from credentials.operations import closed_builds as purging
from credentials.operations.closed_builds import purge_build, purge_builds, purgeable_builds
from credentials.vending.issuing import issue_session
from tests.credentials.operations.closed_builds.conftest import LIES, MakeBuild
from tests.credentials.operations.closed_builds.fake_store import FakeStore
from tests.fake_sts import FakeSts

pytestmark = pytest.mark.django_db

LATER = datetime(2100, 1, 1, tzinfo=UTC)


def purgeable(before: datetime = LATER) -> list[Build]:
    return list(purgeable_builds(deleted_before=before, store=None))


def run(*options: str) -> tuple[str, int]:
    written = StringIO()
    try:
        call_command("purge_builds", "--deleted-before", "0", *options, stdout=written)
    except SystemExit as ended:
        return written.getvalue().strip(), int(str(ended.code))
    return written.getvalue().strip(), 0


def test_everything_at_and_below_the_root_is_removed(
    make_build: MakeBuild, bucket: FakeStore
) -> None:
    build = make_build(1, 20, 300, state="deleted")
    bucket.objects[build.root] = 0
    outcome = purge_build(build)
    assert bucket.objects == {}
    assert (outcome.objects, outcome.bytes) == (3, 321)
    build.refresh_from_db()
    assert build.purged_at is not None


def test_neighbours_are_not_touched(make_build: MakeBuild, bucket: FakeStore) -> None:
    build = make_build(1, state="deleted")
    near = {f"{build.root}0/x": 1, f"{build.root}-more": 1, "guide/builds": 1, "x": 1}
    bucket.objects |= near
    purge_build(build)
    assert bucket.objects == near
    assert all(key == build.root or key.startswith(f"{build.root}/") for key in bucket.deleted)


def test_dry_run_only_counts(make_build: MakeBuild, bucket: FakeStore) -> None:
    build = make_build(1, 20, state="deleted")
    text, code = run()
    assert text.endswith(
        "Nothing was changed; --apply removes 2 objects, 21 bytes, of 1 builds. Failed: 0."
    )
    assert (len(bucket.objects), bucket.deleted, code) == (2, [], 0)
    build.refresh_from_db()
    assert build.purged_at is None
    assert {row.delivery for row in IssuedSession.objects.all()} == {"list"}


def test_apply_removes_and_a_second_run_has_nothing_to_do(
    make_build: MakeBuild, bucket: FakeStore, sts: FakeSts
) -> None:
    make_build(1, 20, state="deleted")
    assert run("--apply") == ("Removed 2 objects, 21 bytes, of 1 builds. Failed: 0.", 0)
    asked = len(sts.requests)
    assert run("--apply") == ("Removed 0 objects, 0 bytes, of 0 builds. Failed: 0.", 0)
    assert len(sts.requests) == asked


def test_command_speaks_json(make_build: MakeBuild) -> None:
    build = make_build(7, state="deleted")
    document = json.loads(run("--apply", "--format", "json")[0])
    assert document["builds"][0]["root"] == build.root
    assert document["totals"] == {"builds": 1, "objects": 1, "bytes": 7, "failed": 0}


@pytest.mark.parametrize("state", ["open", "finished", "superseded", "expired"])
def test_only_deleted_builds_are_purged(
    state: str, make_build: MakeBuild, bucket: FakeStore
) -> None:
    make_build(1, state=state)
    assert purgeable() == []
    run("--apply")
    assert len(bucket.objects) == 1


def test_only_what_was_deleted_before_the_moment_is_purged(make_build: MakeBuild) -> None:
    build = make_build(1, state="deleted")
    assert build.deleted_at
    assert purgeable(build.deleted_at) == []
    assert purgeable(build.deleted_at + timedelta(seconds=1)) == [build]


def test_only_the_store_that_was_named_is_purged(make_build: MakeBuild, store: Store) -> None:
    make_build(1, state="deleted")
    Store.objects.create(name="other", bucket="other", role_arn=store.role_arn)
    assert run("--apply", "--store", "other")[0].startswith("Removed 0 objects")
    assert run("--apply", "--store", "main")[0].startswith("Removed 1 objects")


def test_large_build_takes_several_sessions(
    make_build: MakeBuild, bucket: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purging, "A_SESSION_S_WORK", 2)
    build = make_build(1, 1, 1, 1, 1, state="deleted")
    assert purge_build(build).objects == 5
    assert bucket.objects == {}
    assert IssuedSession.objects.filter(delivery=Delivery.CLEAN).count() == 4


def test_store_that_deletes_nothing_is_noticed(make_build: MakeBuild, bucket: FakeStore) -> None:
    bucket.keeps_what_is_deleted = True
    build = make_build(1, state="deleted")
    with pytest.raises(ObjectsRemain):
        purge_build(build)
    build.refresh_from_db()
    assert build.purged_at is None


@pytest.mark.parametrize("lie", LIES, indirect=True)
def test_nothing_is_removed_by_a_listing_that_cannot_be_so(
    lie: Callable[[Build], str], make_build: MakeBuild, bucket: FakeStore
) -> None:
    build, other = make_build(1, state="deleted"), make_build(1, state="deleted")
    code = lie(build)
    outcomes = list(purge_builds(purgeable_builds(deleted_before=LATER, store=None), apply=True))
    assert [(outcome.build, outcome.failure) for outcome in outcomes] == [
        (build.pk, code),
        (other.pk, ""),
    ]
    assert [key for key in bucket.deleted if not key.startswith(other.root)] == []


@pytest.mark.parametrize("lie", ["prefix ignored"], indirect=True)
@pytest.mark.parametrize("options", [[], ["--apply"]], ids=["dry run", "apply"])
def test_purge_by_a_listing_that_cannot_be_so_is_exit_code_3(
    options: list[str], lie: Callable[[Build], str], make_build: MakeBuild
) -> None:
    build = make_build(1, state="deleted")
    lie(build)
    text, code = run(*options)
    assert text.splitlines()[0] == f"{build.root}: listing_outside_build"
    assert code == 3


def test_run_that_stopped_half_way_goes_on(make_build: MakeBuild, bucket: FakeStore) -> None:
    build = make_build(1, 2, 3, state="deleted")
    first = f"{build.root}/0"
    bucket.objects.pop(first)
    assert purge_build(build).objects == 2
    assert bucket.objects == {}


def test_build_with_a_session_that_can_write_waits_for_its_end(
    make_build: MakeBuild, bucket: FakeStore, caller: Any
) -> None:
    build = make_build(1, state="open")
    issue_session(
        caller=caller,
        build_id=build.pk,
        delivery=Delivery.JSON,
        origin=Origin(),
        now=timezone.now(),
    )
    Build.objects.update(deleted_at=timezone.now())
    left = f"{build.root}: left, sessions_alive. A session can still write to it"
    assert run()[0].startswith(left)  # a dry run says so too
    text, code = run("--apply")
    assert text.startswith(left)
    assert text.endswith("\nRemoved 0 objects, 0 bytes, of 0 builds. Failed: 0.")
    assert code == 0
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        assert run("--apply")[1] == 0
    assert bucket.objects == {}


def test_purge_is_noted_once_and_only_for_deleted_builds(make_build: MakeBuild) -> None:
    build, finished = make_build(state="deleted"), make_build()
    moments = [datetime(2027, 1, day, tzinfo=UTC) for day in (1, 2)]
    for moment in moments:
        record_purge(build_id=build.pk, now=moment)
    build.refresh_from_db()
    assert build.purged_at == moments[0]
    with pytest.raises(ValueError, match="deleted"):
        record_purge(build_id=finished.pk, now=moments[0])


def test_build_whose_scope_changed_is_left_alone(make_build: MakeBuild, bucket: FakeStore) -> None:
    make_build(1, state="deleted")
    Store.objects.update(bucket="elsewhere")
    [outcome] = purge_builds(purgeable_builds(deleted_before=LATER, store=None), apply=True)
    assert (outcome.failure, len(bucket.objects)) == ("scope_changed", 1)


def test_root_that_is_found_to_be_shared_meanwhile_is_left_alone(
    make_build: MakeBuild, bucket: FakeStore
) -> None:
    build = make_build(1, state="deleted")
    Build.objects.update(root_is_shared=True)
    with pytest.raises(BuildInUse):
        purge_build(build)
    assert bucket.deleted == []


WRONG = {
    "no day": (["--deleted-before=2026-13-01"], "is neither a day"),
    "word": (["--deleted-before=yesterday"], "is neither a day"),
    "nothing": (["--deleted-before="], "is neither a day"),
    "fewer days": (["--deleted-before=-1"], "is neither a day"),
    "other digits": (["--deleted-before=٣"], "is neither a day"),
    "too many days": (["--deleted-before=99999999999999"], "is neither a day"),
    "day to come": (["--deleted-before=2999-01-01"], "is in the future"),
    "no option": ([], "--deleted-before"),
    "unknown store": (["--deleted-before=30", "--store", "elsewhere"], "no such store"),
}


def test_wrong_argument_is_a_sentence_and_exit_code_2(product: Product) -> None:
    for case, (arguments, sentence) in WRONG.items():
        with pytest.raises(CommandError, match=sentence) as caught:
            call_command("purge_builds", *arguments)
        assert caught.value.returncode == 2, case
