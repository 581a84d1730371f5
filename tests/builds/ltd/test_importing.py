"""Products and finished builds of an LTD Keeper are taken over; what is here is left as it is."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from builds.errors import SlugTaken
from builds.ltd import keeper as keeper_module
from builds.models import Build, Product, Store
from credentials.closed_builds.purging import purgeable_builds
from tests.builds.ltd.fake_keeper import FakeKeeper

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "BACKOFF_SECONDS", 0)
    monkeypatch.setattr(keeper_module, "READ_SECONDS", 0.5)


@pytest.fixture
def keeper(_sockets: None, store: Store) -> Iterator[FakeKeeper]:
    """Two products, with builds 1, 2 and 10, and one that is not finished."""
    keeper = FakeKeeper()
    keeper.has_product("pipelines")
    keeper.has_product("guide")
    keeper.has_build("pipelines", 101, "1")
    keeper.has_build("pipelines", 102, "2", date_ended="2017-01-01T00:00:00Z")
    keeper.has_build("pipelines", 103, "3", uploaded=False)
    keeper.has_build("guide", 104, "10", github_requester="someone", git_refs=["a", "b"])
    yield keeper
    keeper.stop()


def run(keeper: FakeKeeper, *options: str) -> tuple[list[str], int]:
    written, code = StringIO(), 0
    try:
        call_command(
            "import_ltd", "--from", keeper.url, "--store", "main", *options, stdout=written
        )
    except SystemExit as ended:
        code = int(str(ended.code))
    return written.getvalue().splitlines(), code


def test_products_are_taken_over_as_they_are(keeper: FakeKeeper, store: Store) -> None:
    run(keeper)
    product = Product.objects.get(slug="pipelines")
    assert (product.store, product.title) == (store, "The pipelines")
    assert (product.doc_repo, product.root_domain) == (
        "https://git.example/pipelines",
        "lsst.example",
    )
    assert product.surrogate_key == "0123456789abcdef" * 2


def test_finished_builds_are_taken_over_with_their_slugs(keeper: FakeKeeper) -> None:
    run(keeper)
    roots = ["guide/builds/10", "pipelines/builds/1", "pipelines/builds/2"]
    assert sorted(Build.objects.values_list("root", flat=True)) == roots
    build = Build.objects.get(root="guide/builds/10")
    assert (build.slug, build.server_made, build.bucket_name) == ("10", False, "docs-bucket")
    assert (build.git_refs, build.github_requester) == (["a", "b"], "someone")
    assert build.registered_at == datetime(2016, 3, 1, 10, 21, 27, 583795, tzinfo=UTC)
    assert (build.surrogate_key, build.counted_at) == (f"{104:032x}", None)
    assert build.state(timezone.now()) is Build.State.FINISHED


def test_deleted_build_keeps_its_root_taken(keeper: FakeKeeper) -> None:
    run(keeper)
    build = Build.objects.get(root="pipelines/builds/2")
    assert build.deleted_at == datetime(2017, 1, 1, tzinfo=UTC)
    assert build.state(timezone.now()) is Build.State.DELETED


def test_summary_says_what_became_of_all(keeper: FakeKeeper, capsys: Any) -> None:
    lines, code = run(keeper)
    told = "5 imported, 0 here already, 1 not finished there, 0 conflict, 0 failed"
    assert (lines, code) == ([f"Products and builds: {told}."], 0)
    assert capsys.readouterr().err == ""  # no progress bar where there is no terminal


def test_second_run_changes_nothing(keeper: FakeKeeper) -> None:
    run(keeper)
    before = list(Build.objects.values()), list(Product.objects.values())
    lines, code = run(keeper)
    assert (list(Build.objects.values()), list(Product.objects.values())) == before
    assert "0 imported, 5 here already" in lines[-1]
    assert code == 0


def test_build_finished_there_since_is_taken_over_by_the_next_run(keeper: FakeKeeper) -> None:
    run(keeper)
    keeper.documents["/builds/103"]["uploaded"] = True
    assert "1 imported, 5 here already" in run(keeper)[0][-1]
    assert Build.objects.filter(root="pipelines/builds/3").exists()


def test_dry_run_says_the_same_and_writes_nothing(keeper: FakeKeeper) -> None:
    lines, code = run(keeper, "--dry-run")
    assert lines[-1].startswith("Nothing was changed. Products and builds: 5 imported")
    assert (Product.objects.count(), Build.objects.count(), code) == (0, 0, 0)


def test_product_that_is_here_gets_the_builds(
    keeper: FakeKeeper, make_product: Callable[..., Product]
) -> None:
    mine = make_product("pipelines", title="Mine")
    run(keeper)
    mine.refresh_from_db()
    assert (mine.title, mine.builds.count()) == ("Mine", 2)


CONFLICTS: dict[str, tuple[dict[str, Any], str]] = {
    "another bucket": ({"bucket_name": "elsewhere"}, "lies in elsewhere/pipelines/builds/1"),
    "another root": ({"bucket_root_dir": "pipelines/v/1"}, "not in docs-bucket/pipelines/builds/1"),
    "root of a neighbour": ({"bucket_root_dir": "guide/builds/1"}, "lies in"),
    "slug with a wildcard": ({"slug": "*", "bucket_root_dir": "pipelines/builds/*"}, "not a legal"),
    "slug that climbs": ({"slug": "..", "bucket_root_dir": "pipelines/builds/.."}, "not a legal"),
    "requester too long": ({"github_requester": "x" * 256}, "at most 255"),
}


@pytest.mark.parametrize("case", CONFLICTS)
def test_build_that_cannot_be_as_it_is_there_is_a_conflict(case: str, keeper: FakeKeeper) -> None:
    changes, reason = CONFLICTS[case]
    keeper.documents["/builds/101"] |= changes
    lines, code = run(keeper)
    assert lines[0].startswith("pipelines, build 101: conflict.")
    assert reason in lines[0]
    assert (Build.objects.count(), code) == (2, 1)


def test_build_of_that_slug_which_is_here_is_not_overwritten(
    keeper: FakeKeeper, make_product: Callable[..., Product], register: Callable[..., Build]
) -> None:
    mine = register("1", product=make_product("pipelines"))
    lines, code = run(keeper)
    assert lines[0] == "pipelines, build 101: conflict. Another build of that slug is here."
    before = mine.surrogate_key
    mine.refresh_from_db()
    assert (mine.surrogate_key, mine.finished_at, code) == (before, None, 1)


def test_build_behind_a_server_made_root_is_a_conflict(
    keeper: FakeKeeper, make_product: Callable[..., Product], register: Callable[..., Build]
) -> None:
    mine = register(product=make_product("pipelines"))
    slug = f"{mine.slug}-x"
    keeper.documents["/builds/101"] |= {"slug": slug, "bucket_root_dir": f"pipelines/builds/{slug}"}
    lines, _ = run(keeper)
    assert "behind that of a build which is here" in lines[0]


def elsewhere(store: Store) -> Product:
    other = Store.objects.create(name="other", bucket="other", role_arn=store.role_arn)
    return Product.objects.create(slug="pipelines", store=other, surrogate_key="a" * 32)


def test_product_in_another_store_is_a_conflict_with_all_its_builds(
    keeper: FakeKeeper, store: Store
) -> None:
    elsewhere(store)
    lines, code = run(keeper)
    assert lines[0] == "pipelines: conflict. A product of that slug is here, in another store."
    assert (Build.objects.count(), code) == (1, 1)


PRODUCTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "another bucket": ("pipelines", {"bucket_name": "elsewhere"}, "Its bucket is elsewhere"),
    "another slug": ("pipelines", {"slug": "other"}, "Its slug is not one"),
    "title too long": ("pipelines", {"title": "x" * 256}, "at most 255"),
    "reserved": ("isolation-check-1", {}, "Its slug is not one"),
    "illegal": ("Pipelines_2", {}, "2 to 63 of a-z"),
}


@pytest.mark.parametrize("case", PRODUCTS)
def test_product_that_cannot_be_as_it_is_there_is_a_conflict(case: str, keeper: FakeKeeper) -> None:
    slug, changes, reason = PRODUCTS[case]
    if f"/products/{slug}" not in keeper.documents:
        keeper.has_product(slug)
    keeper.documents[f"/products/{slug}"] |= changes
    lines, code = run(keeper)
    assert lines[0].startswith(f"{slug}: conflict.")
    assert reason in lines[0]
    assert code == 1
    assert not Product.objects.filter(slug=slug).exists()


ANSWERS: dict[str, tuple[Callable[[], tuple[int, bytes]], str]] = {
    "not there": (lambda: (404, b""), "status 404"),
    "failing": (lambda: (500, b"<html>"), "status 500"),
    "not JSON": (lambda: (200, b"<html>"), "not JSON"),
    "a list": (lambda: (200, b"[]"), "no slug"),
    "without a member": (lambda: (200, b'{"slug": "1"}'), "no bucket_name"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_one_answer_that_fails_is_told_and_the_rest_goes_on(case: str, keeper: FakeKeeper) -> None:
    answer, reason = ANSWERS[case]
    keeper.special["/builds/101"] = answer
    lines, code = run(keeper)
    assert lines[0].startswith("pipelines, build 101: failed. GET /builds/101: ")
    assert reason in lines[0]
    assert (Build.objects.count(), code) == (2, 3)


def test_answer_that_fails_in_passing_is_asked_again(keeper: FakeKeeper) -> None:
    statuses = [503, 502]

    def answer() -> tuple[int, bytes]:
        if statuses:
            return statuses.pop(), b""
        return 200, json.dumps(keeper.documents["/builds/101"]).encode()

    keeper.special["/builds/101"] = answer
    assert run(keeper)[1] == 0
    assert keeper.asked.count("/builds/101") == 3


def test_keeper_that_is_away_is_said(store: Store) -> None:
    keeper = FakeKeeper()
    keeper.stop()
    with pytest.raises(CommandError, match=r"/products/: NewConnectionError. Run it again"):
        run(keeper)


def test_keeper_that_hangs_is_given_up_and_what_came_stays(keeper: FakeKeeper) -> None:
    released = threading.Event()

    def hang() -> tuple[int, bytes]:
        released.wait(20)
        return 200, b"{}"

    keeper.special["/builds/102"] = hang
    with pytest.raises(CommandError, match="/builds/102: ReadTimeoutError"):
        run(keeper)
    released.set()
    del keeper.special["/builds/102"]
    assert Build.objects.get().slug == "1"
    assert "here already" in run(keeper)[0][-1]
    assert Build.objects.count() == 3


def test_redirect_is_told_and_not_followed(keeper: FakeKeeper) -> None:
    keeper.headers["Location"] = "https://elsewhere.example/"
    keeper.special["/products/"] = lambda: (301, b"")
    with pytest.raises(CommandError, match=r"status 301. It points to https://elsewhere.example/"):
        run(keeper)


def test_pages_of_a_keeper_that_pages_are_all_read(keeper: FakeKeeper) -> None:
    first = keeper.documents["/products/pipelines/builds/"]
    rest = {"builds": first["builds"][1:], "next": None}
    first |= {"builds": first["builds"][:1], "next": "https://public.example/x?cursor=abc"}
    keeper.documents["/products/pipelines/builds/?cursor=abc"] = rest
    run(keeper)
    assert Build.objects.filter(product__slug="pipelines").count() == 2


def test_pages_that_go_in_a_circle_are_noticed(keeper: FakeKeeper) -> None:
    first = keeper.documents["/products/pipelines/builds/"]
    first["next"] = "https://public.example/x?cursor=abc"
    keeper.documents["/products/pipelines/builds/?cursor=abc"] = first
    lines, code = run(keeper)
    assert "go in a circle" in lines[0]
    assert code == 3


def test_only_the_host_that_was_named_is_asked(keeper: FakeKeeper) -> None:
    run(keeper)
    assert keeper.asked[0] == "/products/"
    assert {f"/builds/{number}" for number in (101, 102, 103, 104)} <= set(keeper.asked)


@pytest.mark.parametrize("url", ["", "keeper.example.org", "ftp://keeper.example.org", "https://"])
def test_what_is_no_address_is_refused(url: str, store: Store) -> None:
    with pytest.raises(CommandError, match="not an address such as"):
        call_command("import_ltd", "--from", url, "--store", "main")


def test_unknown_store_is_refused(keeper: FakeKeeper) -> None:
    with pytest.raises(CommandError, match="no such store"):
        call_command("import_ltd", "--from", keeper.url, "--store", "elsewhere")


def test_number_that_it_may_have_given_out_before_is_taken_since(
    keeper: FakeKeeper, register: Callable[..., Build], make_product: Callable[..., Product]
) -> None:
    mine = make_product("pipelines")
    assert register("7", product=mine).slug == "7"
    run(keeper)
    for product in Product.objects.filter(slug__in=["pipelines", "guide"]):
        with pytest.raises(SlugTaken):
            register("99", product=product)
        assert register("v99", product=product).slug == "v99"


def test_dry_run_takes_no_numbers(
    keeper: FakeKeeper, register: Callable[..., Build], make_product: Callable[..., Product]
) -> None:
    mine = make_product("pipelines")
    run(keeper, "--dry-run")
    mine.refresh_from_db()
    assert register("99", product=mine).slug == "99"


def test_root_that_two_builds_share_there_is_never_purged(keeper: FakeKeeper) -> None:
    keeper.has_build("pipelines", 105, "2")
    lines, _ = run(keeper, "--dry-run")
    assert "0 conflict" in lines[-1]
    lines, _ = run(keeper)
    assert "pipelines, build 105: conflict. Another build of that slug is here." in lines
    shared = Build.objects.get(root="pipelines/builds/2")
    assert (shared.deleted_at is not None, shared.root_is_shared) == (True, True)
    assert shared not in purgeable_builds(deleted_before=timezone.now(), store=None)
    assert Build.objects.filter(root_is_shared=True).count() == 1
