"""What is noted of a store's presigned POSTs: what it stored, not what it answered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.utils import timezone

from builds.models import Build, Store
from credentials.access.callers import Origin
from credentials.models import Delivery
from credentials.operations.isolation.posting import BODY, note_post_support
from credentials.vending.issuing import VendedSession, issue_session
from tests.fake_sts import FakeSts
from tests.loopback import serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.loopback]


class Listing:
    """S3 as the check sees it: the sizes below the key that was posted, or an error."""

    def __init__(self, sizes: list[int], error: Exception | None = None, key: str = "") -> None:
        self.sizes, self.error, self.key = sizes, error, key
        self.prefixes: list[str] = []

    def list_objects_v2(self, **request: Any) -> dict[str, Any]:
        self.prefixes.append(request["Prefix"])
        if self.error:
            raise self.error
        found = [{"Key": self.key or request["Prefix"], "Size": size} for size in self.sizes]
        return {"Contents": found} if found else {}


@contextmanager
def answering(status: int, bodies: list[bytes]) -> Iterator[str]:
    """A store that answers every POST with one status; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.end_headers()

    with serving(Handler) as url:
        yield url


@pytest.fixture
def session(caller: Any, build: Build, sts: FakeSts) -> VendedSession:
    return issue_session(
        caller=caller,
        build_id=build.pk,
        delivery=Delivery.JSON,
        origin=Origin(),
        now=timezone.now(),
    )


@pytest.fixture
def note(session: VendedSession) -> Callable[..., Any]:
    def call(url: str, listing: Listing) -> Any:
        store = session.build.product.store
        store.endpoint_url, store.addressing = url, Store.Addressing.PATH
        Store.objects.update(endpoint_url=url)
        scene: Any = SimpleNamespace(
            session=session,
            s3=listing,
            store=store,
            own=session.build,
            bucket=session.build.bucket_name,
            written=[],
        )
        note_post_support(store=store, scene=scene)
        assert scene.written == listing.prefixes or not listing.prefixes
        return scene

    return call


STORED, NOTHING = [len(BODY)], list[int]()
CASES = {
    "stored": (204, STORED, "works"),
    "answered and not stored": (204, NOTHING, "broken"),
    "stored in part": (204, [1], "broken"),
    "refused": (403, NOTHING, "broken"),
    "unknown to it": (405, NOTHING, "broken"),
    "ill": (503, NOTHING, "unknown"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_stored_decides(case: str, note: Callable[..., Any]) -> None:
    status, sizes, expected = CASES[case]
    bodies: list[bytes] = []
    with answering(status, bodies) as url:
        scene = note(url, Listing(sizes))
    assert Store.objects.get().post_support == expected
    assert scene.store.post_support == expected, "what the command shows"
    assert BODY in bodies[0]


def test_another_key_in_the_listing_is_no_file_of_ours(note: Callable[..., Any]) -> None:
    with answering(204, []) as url:
        note(url, Listing(STORED, key="secret/top.txt"))
    assert Store.objects.get().post_support == "broken"


def test_listing_that_is_refused_leaves_it_open(note: Callable[..., Any]) -> None:
    refusal = ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "ListObjectsV2")
    with answering(204, []) as url:
        note(url, Listing([], error=refusal))
    assert Store.objects.get().post_support == "unknown"


def test_store_that_is_away_leaves_it_as_it_was(note: Callable[..., Any]) -> None:
    Store.objects.update(post_support="works")
    note("http://127.0.0.1:9", Listing([]))
    assert Store.objects.get().post_support == "works"


def test_form_is_sent_as_clients_do(note: Callable[..., Any], session: VendedSession) -> None:
    bodies: list[bytes] = []
    with answering(204, bodies) as url:
        scene = note(url, Listing(STORED))
    names = [line for line in bodies[0].split(b"\r\n") if b'name="' in line]
    assert b'name="key"' in names[0]
    assert b'name="Content-Type"' in names[-2]
    assert b'name="file"; filename="posted-' in names[-1]
    assert scene.written[0].startswith(f"{session.build.root}/posted-")


def test_store_that_moved_during_the_check_is_not_noted(note: Any, store: Store) -> None:
    class Moved(Listing):
        def list_objects_v2(self, **asked: Any) -> Any:
            Store.objects.update(bucket="another-bucket")
            return super().list_objects_v2(**asked)

    with answering(204, []) as url:
        note(url, Moved([len(BODY)]))
    assert Store.objects.get().post_support == "unknown"
