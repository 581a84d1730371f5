"""Products and finished builds of an LTD Keeper are taken over; what is here is left as it is."""

import gzip
import json
import resource
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.utils import timezone

from builds import importing as keeper_module
from builds.errors import SlugTaken
from builds.models import Build, Product, Store
from builds.names import has_controls
from builds.services import delete_build
from credentials.operations.closed_builds import purgeable_builds
from ltdkeeper.management.outcomes import ExitCode
from tests.builds.importing.fake_keeper import FakeKeeper

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "BACKOFF_SECONDS", 0)


@pytest.fixture
def keeper(_sockets: None, store: Store) -> Iterator[FakeKeeper]:
    """Two products, with builds 1, 2 and 10, and one that is not finished."""
    keeper = FakeKeeper()
    keeper.has_product("pipelines")
    keeper.has_product("guide")
    keeper.has_build("pipelines", 101, "1")
    keeper.has_build("pipelines", 102, "2")
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


ENDS = ["2001-01-01T00:00:00Z", "2017-01-01T00:00:00", "2150-01-01T00:00:00Z"]


@pytest.mark.parametrize("ended", ENDS)
def test_no_end_that_is_said_there_deletes_anything_here(ended: str, keeper: FakeKeeper) -> None:
    keeper.documents["/builds/102"]["date_ended"] = ended
    lines, code = run(keeper)
    assert lines[0].startswith(
        f"pipelines, build 102: conflict. It is listed, although it ended {ended[:10]}"
    )
    assert code == 1
    assert not Build.objects.exclude(deleted_at=None).exists()
    assert not purgeable_builds(deleted_before=timezone.now(), store=None)


def test_build_that_is_here_and_ended_there_since_is_left_alone(keeper: FakeKeeper) -> None:
    run(keeper)
    keeper.documents["/builds/102"]["date_ended"] = "2001-01-01T00:00:00Z"
    assert "5 here already" in run(keeper)[0][-1]
    assert Build.objects.get(root="pipelines/builds/2").deleted_at is None


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
    "slug with a wildcard": (
        {"slug": "*", "bucket_root_dir": "pipelines/builds/*"},
        "not allowed as the slug",
    ),
    "slug that climbs": (
        {"slug": "..", "bucket_root_dir": "pipelines/builds/.."},
        "not allowed as the slug",
    ),
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
    assert lines[0] == "pipelines, build 101: conflict. Another build has that slug here."
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
    assert "inside that of an existing build" in lines[0]


def elsewhere(store: Store) -> Product:
    other = Store.objects.create(name="other", bucket="other", role_arn=store.role_arn)
    return Product.objects.create(slug="pipelines", store=other, surrogate_key="a" * 32)


def test_product_in_another_store_is_a_conflict_with_all_its_builds(
    keeper: FakeKeeper, store: Store
) -> None:
    elsewhere(store)
    lines, code = run(keeper)
    assert (
        lines[0] == "pipelines: conflict. A product with that slug exists here, in another store."
    )
    assert (Build.objects.count(), code) == (1, 1)


PRODUCTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "another bucket": ("pipelines", {"bucket_name": "elsewhere"}, "Its bucket is elsewhere"),
    "another slug": ("pipelines", {"slug": "other"}, "Its slug is not allowed"),
    "title too long": ("pipelines", {"title": "x" * 256}, "at most 255"),
    "reserved": ("isolation-check-1", {}, "Its slug is not allowed"),
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
    "a list": (lambda: (200, b"[]"), "Expected `object`"),
    "without a member": (lambda: (200, b'{"slug": "1"}'), "required field `bucket_name`"),
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


@pytest.mark.slow
def test_keeper_that_hangs_is_given_up_and_what_came_stays(
    keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "READ_SECONDS", 1)
    released = threading.Event()

    def hang() -> tuple[int, bytes]:
        released.wait()
        return 200, b"{}"

    keeper.special["/builds/102"] = hang
    try:
        with pytest.raises(CommandError, match="/builds/102: ReadTimeoutError"):
            run(keeper)
    finally:
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
    assert "its pages repeat" in lines[0]
    assert code == 3


def test_only_the_host_that_was_named_is_asked(keeper: FakeKeeper) -> None:
    run(keeper)
    assert keeper.asked[0] == "/products/"
    assert {f"/builds/{number}" for number in (101, 102, 103, 104)} <= set(keeper.asked)


@pytest.mark.parametrize("url", ["", "keeper.example.org", "ftp://keeper.example.org"])
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


SECONDS: dict[str, dict[str, Any]] = {
    "other key": {"surrogate_key": "f" * 32},
    "other date": {"surrogate_key": f"{102:032x}", "date_created": "2018-01-01T00:00:00Z"},
    "other id alone": {"surrogate_key": f"{102:032x}"},
    "unfinished": {"uploaded": False},
}


@pytest.mark.parametrize("case", SECONDS)
def test_two_listed_builds_of_one_slug_are_never_the_same(case: str, keeper: FakeKeeper) -> None:
    keeper.has_build("pipelines", 105, "2", **SECONDS[case])
    for options in (["--dry-run"], [], []):
        lines, code = run(keeper, *options)
        assert "pipelines, build 105: conflict. Another build has that slug here." in lines
        assert code == 1
        shared = Build.objects.filter(root_is_shared=True).values_list("root", flat=True)
        assert list(shared) == ([] if options else ["pipelines/builds/2"])


def test_root_that_two_builds_share_there_is_not_purged_until_somebody_says_so(
    keeper: FakeKeeper, admin_client: Any
) -> None:
    keeper.has_build("pipelines", 105, "2")
    run(keeper)
    shared = Build.objects.get(root="pipelines/builds/2")
    delete_build(build_id=shared.pk, now=timezone.now())
    written = StringIO()
    call_command("purge_builds", "--deleted-before", "0", stdout=written)
    assert written.getvalue().startswith("pipelines/builds/2: left, root_is_shared. Another build")
    written = StringIO()
    call_command("purge_builds", "--deleted-before", "0", "--format", "json", stdout=written)
    told = json.loads(written.getvalue())
    assert [(one["root"], one["left"]) for one in told["builds"]] == [
        ("pipelines/builds/2", "root_is_shared")
    ]
    assert told["totals"]["builds"] == 0
    data = {"action": "release_roots", "_selected_action": [shared.pk], "reason": "sure"}
    admin_client.post("/admin/builds/build/", data)
    assert shared in purgeable_builds(deleted_before=timezone.now(), store=None)
    assert LogEntry.objects.get().get_change_message() == "Root is no longer shared. Reason: sure"


SLOW = {
    "headers": b"HTTP/1.1 200 OK\r\nX: ",
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n[",
}


@pytest.mark.parametrize("case", SLOW)
def test_answer_that_drips_without_end_is_given_up(
    case: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "WHOLE_SECONDS", 0.3)
    with (
        dripping(SLOW[case]) as url,
        pytest.raises(CommandError, match="no whole response") as caught,
    ):
        call_command("import_ltd", "--from", url, "--store", "main")
    assert caught.value.returncode == ExitCode.NOT_MADE


@contextmanager
def dripping(beginning: bytes) -> Iterator[str]:
    """A server that begins an answer, then sends a byte now and then until it is left."""
    listening = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listening.accept()
        with connection, suppress(OSError):
            connection.sendall(beginning)
            while True:
                connection.sendall(b" ")
                time.sleep(0.05)

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        thread.join()
        listening.close()


def bomb() -> bytes:
    """A quarter of a gigabyte of blanks, in a quarter of a megabyte."""
    packing = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([*(packing.compress(b" " * 2**20) for _ in range(256)), packing.flush()])


@pytest.mark.slow
def test_answer_that_unpacks_to_too_much_is_not_unpacked(keeper: FakeKeeper) -> None:
    keeper.headers["Content-Encoding"] = "gzip"
    packed = bomb()
    keeper.special["/products/"] = lambda: (200, packed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CommandError, match=r"GET /products/: more than \d+ bytes"):
        run(keeper)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100 * 2**10  # kilobytes


def test_answer_that_is_packed_is_read(keeper: FakeKeeper) -> None:
    keeper.headers["Content-Encoding"] = "gzip"
    for path, document in keeper.documents.items():
        packed = gzip.compress(json.dumps(document).encode())
        keeper.special[path] = lambda packed=packed: (200, packed)
    assert "5 imported" in run(keeper)[0][-1]


def test_pages_without_end_are_given_up(
    keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "MOST_PAGES", 20)
    path = "/products/pipelines/builds/"
    for page in range(30):
        keeper.documents[f"{path}?page={page}" if page else path] = {
            "builds": [f"https://public.example/builds/{1000 + page}"],
            "next": f"https://public.example/?page={page + 1}",
        }
    lines, code = run(keeper)
    assert lines[0] == f"pipelines: failed. GET {path}: the list has no end."
    assert code == 3


NEXT = ["http://[", "https://k.example/?a=\u009b2J", "https://k.example/?" + "a" * 5000, "/?a b"]


@pytest.mark.parametrize("address", NEXT)
def test_next_page_without_an_address_is_told(address: str, keeper: FakeKeeper) -> None:
    keeper.documents["/products/pipelines/builds/"]["next"] = address
    lines, code = run(keeper)
    assert "the address of its next page is not one" in lines[0]
    assert code == 3


ESCAPES = "\x1b[2J\x9b31m\u202e\nProducts and builds: 99 imported"
SAYING: dict[str, Callable[[FakeKeeper], Any]] = {
    "bucket of a product": lambda k: k.documents["/products/guide"].update(bucket_name=ESCAPES),
    "bucket of a build": lambda k: k.documents["/builds/104"].update(bucket_name=ESCAPES),
    "slug of a build": lambda k: k.documents["/builds/104"].update(slug=ESCAPES),
    "root of a build": lambda k: k.documents["/builds/104"].update(bucket_root_dir=ESCAPES),
    "address of a product": lambda k: k.has_product(ESCAPES),
    "address of a build": lambda k: k.documents["/products/guide/builds/"]["builds"].append(
        f"https://k.example/builds/{ESCAPES}"
    ),
    "redirect": lambda k: (
        k.headers.update(Location="https://k.example/\x9b31m\x1b[2J"),
        k.special.update({"/builds/104": lambda: (301, b"")}),
    ),
}


@pytest.mark.parametrize("case", SAYING)
def test_nothing_that_is_said_there_drives_the_terminal(case: str, keeper: FakeKeeper) -> None:
    SAYING[case](keeper)
    lines, code = run(keeper)
    assert code in {1, 3}
    assert [line for line in lines if has_controls(line)] == []
    assert [line for line in lines if line.startswith("Products and builds")] == lines[-1:]


NOT_STORED: dict[str, dict[str, Any]] = {
    "NUL in a branch": {"git_refs": ["ma\0in"]},
    "NUL in a requester": {"github_requester": "some\0one"},
    "NUL in a slug": {"slug": "10\0"},
    "half a character": {"github_requester": "\ud800"},
    "not registered yet": {"date_created": "2150-01-01T00:00:00Z"},
}


@pytest.mark.parametrize("case", NOT_STORED)
def test_build_that_no_database_takes_costs_itself_alone(case: str, keeper: FakeKeeper) -> None:
    keeper.documents["/builds/101"].update(NOT_STORED[case])
    lines, code = run(keeper)
    assert lines[0].startswith("pipelines, build 101: ")
    assert sorted(Build.objects.values_list("root", flat=True)) == [
        "guide/builds/10",
        "pipelines/builds/2",
    ]
    assert code in {1, 3}


def test_product_that_no_database_takes_costs_itself_alone(keeper: FakeKeeper) -> None:
    keeper.documents["/products/pipelines"]["title"] = "a\0b"
    lines, code = run(keeper)
    assert lines[0].startswith("pipelines: failed.")
    assert (Product.objects.get().slug, code) == ("guide", 3)
