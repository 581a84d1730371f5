"""The demo notices what it is there to notice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.attempts import ATTEMPTS, Answer, Attempt, Scene, try_all
from demo.checks import attempt_problems, contents_of, count_problems, ledger_problems
from demo.identities import BUCKET, Identities
from demo.job import Published
from demo.keeper import Build, Credentials
from demo.leaks import leaks
from demo.ledger import LedgerRow
from demo.site import SiteFile, read_site
from demo.store import EmbeddedStore

CREDENTIALS = Credentials(
    access_key_id="ASIA1", secret_access_key="s", session_token="t", expiration="", session_id="1"
)
ISSUED = LedgerRow(
    status="issued",
    session_name="1-guide",
    access_key_id="ASIA1",
    delivery="json",
    duration_seconds=1800,
    expires_at="",
)


def build_of(root: str) -> Build:
    return Build(url="", slug=root.rpartition("/")[2], bucket=BUCKET, root=root)


def published(objects: int | None, size: int | None) -> Published:
    return Published(
        build=build_of("guide/builds/one"),
        credentials=CREDENTIALS,
        object_count=objects,
        byte_count=size,
        upload_seconds=0.0,
    )


@pytest.fixture
def site(tmp_path: Path) -> list[SiteFile]:
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "style.css").write_text("p {}")
    return read_site(tmp_path)


@pytest.mark.parametrize(
    ("objects", "size", "problems"), [(2, 7, 0), (None, None, 0), (3, 7, 1), (2, 8, 1)]
)
def test_wrong_count_is_a_problem(
    site: list[SiteFile], objects: int | None, size: int | None, problems: int
) -> None:
    assert len(count_problems(published(objects, size), site)) == problems


@pytest.mark.parametrize(
    ("status", "code", "is_refusal"),
    [
        (403, "AccessDenied", True),
        (200, "accepted", False),
        (404, "NoSuchKey", False),
        (403, "SignatureDoesNotMatch", False),
        (403, "ExpiredToken", False),
        (500, "AccessDenied", False),
        (0, "EndpointConnectionError", False),
    ],
)
def test_only_a_denial_is_a_refusal(status: int, code: str, *, is_refusal: bool) -> None:
    answer = Answer(title="x", status=status, code=code)
    assert answer.is_refusal is is_refusal
    assert bool(attempt_problems([answer], before={}, after={})) is not is_refusal


@pytest.mark.parametrize("after", [{}, {"a": "2"}, {"a": "1", "b": "1"}])
def test_any_change_by_an_attempt_is_a_problem(after: dict[str, str]) -> None:
    assert attempt_problems([], before={"a": "1"}, after=after)


def test_unchanged_bucket_is_no_problem() -> None:
    assert attempt_problems([], before={"a": "1"}, after={"a": "1"}) == []


@pytest.mark.parametrize(
    "row",
    [None, ISSUED.__class__(**{**vars(ISSUED), "status": "requested"})],
    ids=["missing", "not issued"],
)
def test_session_that_is_not_in_the_ledger_is_a_problem(row: LedgerRow | None) -> None:
    assert ledger_problems(row, published(1, 1))
    assert not ledger_problems(ISSUED, published(1, 1))


@pytest.mark.parametrize("spelling", ["se/cr+et", "se%2Fcr%2Bet"])
def test_kept_secret_is_found(tmp_path: Path, spelling: str) -> None:
    kept = tmp_path / "log"
    kept.write_bytes(b"\x00before" + spelling.encode() + b"after")
    assert leaks(secrets={"the token": "se/cr+et"}, files=[kept]) == ["the token stands in log"]
    assert leaks(secrets={"the token": "another"}, files=[kept]) == []


@pytest.fixture
def scene(embedded_store: EmbeddedStore, identities: Identities) -> Iterator[Scene]:
    """Where everything is allowed: the admin attempts what a session must not."""
    s3 = embedded_store.admin_client("s3")
    builds = [build_of(f"{name}/builds/one") for name in ("own", "sibling", "other")]
    for build in builds:
        s3.put_object(Bucket=BUCKET, Key=f"{build.root}/index.html", Body=b"page")
    own, sibling, other = builds
    sts = embedded_store.admin_client("sts")
    yield Scene(s3=s3, sts=sts, own=own, sibling=sibling, other_product=other)
    for key in contents_of(s3, BUCKET):
        s3.delete_object(Bucket=BUCKET, Key=key)


# The role trusts nobody but the vendor, and new buckets take no ACLs: refused to the admin too.
OTHERWISE_REFUSED = {"assume the role again", "make a page public"}


@pytest.mark.loopback
def test_every_attempt_would_succeed_if_it_were_allowed(scene: Scene) -> None:
    attempts = [attempt for attempt in ATTEMPTS if attempt.title not in OTHERWISE_REFUSED]
    answers = try_all(scene, attempts)
    assert {answer.title for answer in answers if answer.code != "accepted"} == set()


@pytest.mark.loopback
def test_attempt_that_gets_no_answer_is_no_refusal(scene: Scene) -> None:
    def fail(_scene: Scene) -> Any:
        return scene.s3.put_object(Bucket="-no-bucket-", Key="x", Body=b"")

    assert not try_all(scene, [Attempt(title="x", act=fail)])[0].is_refusal
