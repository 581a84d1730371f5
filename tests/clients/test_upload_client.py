"""ltdkeeper-upload in this process: a keeper that is made up, and moto's S3."""

import hashlib
import io
import json
import re
import ssl
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from email.message import Message
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError, URLError

import boto3
import pytest
from ltdkeeper_upload.__main__ import git_ref, main
from ltdkeeper_upload.keeper import Failure, Keeper, say
from ltdkeeper_upload.upload import (
    LARGE_BYTES,
    PART_BYTES,
    SITES,
    SiteFile,
    files_below,
    only_site,
    show_progress,
)
from moto import mock_aws

from tests.loopback import serving
from tests.oidc.issuer import send

KEEPER, BUCKET = "https://keeper.example.org", "docs"
ROOT = "handbook/builds/01"
API_KEY, JOB_TOKEN, IDENTITY = "ltdk_of-the-client", "ltdj_of-the-job", "eyJ.identity"
BUILD = {
    "self_url": f"{KEEPER}/builds/1",
    "credentials_url": f"{KEEPER}/builds/1/credentials",
    "bucket_name": BUCKET,
    "bucket_root_dir": ROOT,
    "surrogate_key": "5a1b",
    "published_url": "",
    "state": "open",
    "warning": None,
    "object_count": None,
}
SESSION = {
    "AccessKeyId": "ASIAEXAMPLE",
    "SecretAccessKey": "secret-of-the-session",
    "SessionToken": "token-of-the-session",
    "Expiration": "2999-01-01T00:00:00Z",
    "region": "us-east-1",
    "endpoint_url": None,
    "addressing": "auto",
}
PUT_STYLE = "PUT /builds/1/objects/_static/style.css"
PUT_PAGE = "PUT /builds/1/objects/a%20b/%C3%BC%23.html"
REGISTER, ASK = "POST /products/handbook/builds/", "GET /builds/1/credentials"
FINISH, DELETE = "PATCH /builds/1", "DELETE /builds/1"
EXCHANGE, REVOKE = "POST /oidc/token", "DELETE /token"
ANSWERS = {
    REGISTER: BUILD,
    ASK: SESSION,
    "GET /builds/1": BUILD,
    FINISH: BUILD | {"state": "finished", "object_count": 2},
    DELETE: BUILD | {"state": "deleted"},
    "GET /oidc/audience": {"audience": "docs keeper"},
    "GET /token?v=2&audience=docs%20keeper": {"value": IDENTITY},
    EXCHANGE: {"token": JOB_TOKEN, "products": ["handbook"]},
    REVOKE: None,
}
SECRETS = (API_KEY, JOB_TOKEN, IDENTITY, SESSION["SecretAccessKey"], SESSION["SessionToken"])


def problem(
    status: int, *, retry_after: str = "", code: str = "no", body: bytes | None = None
) -> HTTPError:
    headers = Message()
    headers["Retry-After"] = retry_after
    text = json.dumps({"detail": "The keeper says no.", "code": code}).encode()
    body = text if body is None else body
    return HTTPError(KEEPER, status, "Status", headers, io.BytesIO(body))


class FakeKeeper:
    """Answers by method and path; a list gives its members one after the other."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = dict(ANSWERS)
        self.calls: list[str] = []
        self.bodies: dict[str, Any] = {}
        self.tokens: dict[str, str | None] = {}
        self.headers: dict[str, Mapping[str, str]] = {}
        self.hosts: set[str] = set()

    def open(self, request: Any, timeout: float) -> io.BytesIO:
        call = f"{request.get_method()} {request.selector}"
        self.calls.append(call)
        self.hosts.add(request.host)
        data = request.data
        is_json = isinstance(data, bytes | None)
        self.bodies[call] = json.loads(data or "null") if is_json else b"".join(data)
        self.headers[call] = request.headers
        self.tokens[call] = request.get_header("Authorization")
        answer = self.answers[call]
        answer = answer.pop(0) if isinstance(answer, list) else answer
        if isinstance(answer, BaseException):
            raise answer
        return io.BytesIO(answer if isinstance(answer, bytes) else json.dumps(answer).encode())


@pytest.fixture
def keeper(monkeypatch: pytest.MonkeyPatch) -> FakeKeeper:
    fake = FakeKeeper()
    monkeypatch.setattr("ltdkeeper_upload.keeper.build_opener", lambda *_: fake)
    return fake


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """A job with an API key."""
    variables = {
        "LTDKEEPER_URL": KEEPER,
        "LTDKEEPER_PRODUCT": "handbook",
        "LTDKEEPER_API_KEY": API_KEY,
        "CI_COMMIT_REF_NAME": "main",
    }
    monkeypatch.setattr("os.environ", variables)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return variables


@pytest.fixture
def s3(environment: dict[str, str]) -> Iterator[Any]:
    """A bucket; the job's own settings of AWS lead elsewhere."""
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        environment |= {"AWS_PROFILE": "missing", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
        yield client


@pytest.fixture
def site(tmp_path: Path) -> str:
    for name in ("index.html", "_static/style.css"):
        path = tmp_path / "html" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return str(tmp_path / "html")


def keys_in(s3: Any) -> list[str]:
    return [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def test_site_is_stored_and_the_build_finished(
    keeper: FakeKeeper, s3: Any, site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([site]) == 0
    assert keeper.calls == [REGISTER, ASK, FINISH]
    assert keeper.bodies[REGISTER] == {"git_refs": ["main"]}
    assert keeper.tokens[REGISTER] == f"Bearer {API_KEY}"
    assert keys_in(s3) == [f"{ROOT}/_static/style.css", f"{ROOT}/index.html"]
    page = s3.get_object(Bucket=BUCKET, Key=f"{ROOT}/index.html")
    assert page["Body"].read() == b"index.html"
    assert (page["ContentType"], page["CacheControl"]) == ("text/html", "max-age=31536000")
    assert page["Metadata"] == {"surrogate-key": "5a1b"}
    out, err = capsys.readouterr()
    assert out == f"{KEEPER}/builds/1\n"
    assert err.endswith(f"Finished: 2 objects from {site}\n")
    assert not [secret for secret in SECRETS if secret in out + err]


def test_result_as_json_has_where_to_look(
    keeper: FakeKeeper, s3: Any, site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    published = "https://handbook.docs.example.org/builds/01/"
    keeper.answers[FINISH] = BUILD | {"published_url": published, "warning": "Pages lack a type."}
    assert main([site, "--format", "json", "--git-ref", "v1", "--git-ref", "stable"]) == 0
    assert keeper.bodies[REGISTER] == {"git_refs": ["v1", "stable"]}
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "build_url": f"{KEEPER}/builds/1",
        "published_url": published,
        "state": "open",
        "warning": "Pages lack a type.",
        "object_count": 2,
        "uploaded_count": 2,
    }
    assert "Warning: Pages lack a type.\n" in err


def test_large_file_goes_up_in_parts(keeper: FakeKeeper, s3: Any, site: str) -> None:
    (Path(site) / "book.pdf").write_bytes(bytes(LARGE_BYTES + 1))
    assert main([site]) == 0
    book = s3.head_object(Bucket=BUCKET, Key=f"{ROOT}/book.pdf")
    assert (book["ContentLength"], book["ContentType"]) == (LARGE_BYTES + 1, "application/pdf")
    assert book["ETag"].endswith('-2"')
    assert book["Metadata"] == {"surrogate-key": "5a1b"}


def test_continued_build_gets_what_it_lacks(keeper: FakeKeeper, s3: Any, site: str) -> None:
    for name, content in {"index.html": "index.html", "_static/style.css": "another!"}.items():
        s3.put_object(Bucket=BUCKET, Key=f"{ROOT}/{name}", Body=content)
    s3.put_object(Bucket=BUCKET, Key=f"{ROOT}2/_static/style.css", Body="_static/style.css")
    before = s3.head_object(Bucket=BUCKET, Key=f"{ROOT}/index.html")
    assert main([site, "--build", f"{KEEPER}/builds/1"]) == 0
    assert keeper.calls == ["GET /builds/1", ASK, FINISH]
    assert s3.head_object(Bucket=BUCKET, Key=f"{ROOT}/index.html")["Metadata"] == before["Metadata"]
    style = s3.get_object(Bucket=BUCKET, Key=f"{ROOT}/_static/style.css")
    assert style["Body"].read() == b"_static/style.css"


def test_build_of_another_host_is_looked_for_at_the_keeper_alone(
    keeper: FakeKeeper, s3: Any, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token goes nowhere else; and the build knows its branch."""
    monkeypatch.delenv("CI_COMMIT_REF_NAME")
    for build in ("https://evil.example/builds/1", "builds/1"):
        keeper.calls.clear()
        assert main([site, "--build", build]) == 0
        assert keeper.calls == ["GET /builds/1", ASK, FINISH]
    assert keeper.hosts == {KEEPER.partition("//")[2]}


def test_check_tries_everything_but_the_upload(
    keeper: FakeKeeper, s3: Any, site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([site, "--check"]) == 0
    assert capsys.readouterr().out == ""
    assert keeper.calls == [REGISTER, ASK, DELETE]
    assert keys_in(s3) == []


@pytest.fixture
def odd_site(site: str, keeper: FakeKeeper) -> str:
    """A page whose name needs quoting, and a style sheet. There is no store."""
    (Path(site) / "a b").mkdir()
    (Path(site) / "index.html").rename(Path(site) / "a b" / "ü#.html")
    keeper.answers |= {PUT_PAGE: {}, PUT_STYLE: {}}
    del keeper.answers[ASK]
    return site


THROUGH = {
    "a new build": ([], [REGISTER]),
    "an open one, again from the start": (["--build", f"{KEEPER}/builds/1"], ["GET /builds/1"]),
}


@pytest.mark.parametrize(("more", "first"), THROUGH.values(), ids=THROUGH)
def test_site_goes_through_the_service(
    more: list[str],
    first: list[str],
    keeper: FakeKeeper,
    odd_site: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([odd_site, "--through-service", "--cache-control", "no-cache", *more]) == 0
    assert sorted(keeper.calls) == sorted([*first, PUT_PAGE, PUT_STYLE, FINISH])
    assert (keeper.bodies[PUT_PAGE], keeper.calls[-1]) == (b"index.html", FINISH)
    checksum = b64encode(hashlib.sha256(b"index.html").digest()).decode()
    assert (
        keeper.headers[PUT_PAGE].items()
        >= {
            "Authorization": f"Bearer {API_KEY}",
            "Content-type": "text/html",
            "Content-length": "10",
            "Cache-control": "no-cache",
            "X-amz-checksum-sha256": checksum,
        }.items()
    )
    assert "2 of 2 files, 1 of 1 kB\n" in capsys.readouterr().err


def test_check_through_the_service_needs_no_store(keeper: FakeKeeper, odd_site: str) -> None:
    assert main([odd_site, "--through-service", "--check"]) == 0
    assert keeper.calls == [REGISTER, DELETE]


def test_upload_waits_for_its_turn_as_long_as_it_takes(
    keeper: FakeKeeper, odd_site: str, waits: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    turns = [problem(503, retry_after="2", code="too_many_uploads") for _ in range(9)]
    keeper.answers[PUT_PAGE] = [*turns, problem(503, retry_after="7"), {}]
    assert main([odd_site, "--through-service"]) == 0
    assert waits == [2] * 9 + [7]
    assert keeper.bodies[PUT_PAGE] == b"index.html"
    assert capsys.readouterr().err.count("Trying again") == 1


def test_refused_upload_is_reported(
    keeper: FakeKeeper, odd_site: str, waits: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    keeper.answers |= {PUT_STYLE: problem(404), PUT_PAGE: problem(404)}
    assert main([odd_site, "--through-service"]) == 1
    assert FINISH not in keeper.calls
    assert "The keeper says no. (no)\n" in capsys.readouterr().err


def test_builds_of_a_branch_are_deleted(
    keeper: FakeKeeper, capsys: pytest.CaptureFixture[str]
) -> None:
    find = "/products/handbook/builds/?git_ref=refs%2Fpull%2F7%2Fmerge&state=finished"
    second, third = f"{find}&cursor=b", f"{find}&cursor=c"
    one = f"{KEEPER}/builds/1"
    keeper.answers |= {
        f"GET {find}": {"builds": [one] * 2, "next": KEEPER + second},
        f"GET {second}": {"builds": [], "next": KEEPER + third},  # none among 10,000
        f"GET {third}": {"builds": [one], "next": None},
    }
    assert main(["--delete", "refs/pull/7/merge", "--yes", "--format", "json"]) == 0
    looked = [f"GET {path}" for path in (find, second, third)]
    assert keeper.calls == [looked[0], DELETE, DELETE, *looked[1:], DELETE]
    out, err = capsys.readouterr()
    assert json.loads(out) == {"deleted_count": 3}
    assert err.endswith("Deleted 3 builds of refs/pull/7/merge\n")


def test_build_that_may_not_be_deleted_does_not_keep_the_others(
    keeper: FakeKeeper, capsys: pytest.CaptureFixture[str]
) -> None:
    builds = [f"{KEEPER}/builds/{number}" for number in (2, 1)]
    keeper.answers |= {
        "GET /products/handbook/builds/?git_ref=a&state=finished": {"builds": builds, "next": None},
        "DELETE /builds/2": problem(403),
    }
    assert main(["--delete", "a", "--yes"]) == 1
    assert keeper.calls[-1] == DELETE
    err = capsys.readouterr().err
    assert err.endswith("Deleted 1 build of a\nNot deleted: 1, for the reasons above.\n")


def test_deleting_nothing_prints_nothing_to_look_at(
    keeper: FakeKeeper, capsys: pytest.CaptureFixture[str]
) -> None:
    keeper.answers["GET /products/handbook/builds/?git_ref=main&state=finished"] = {
        "builds": [],
        "next": None,
    }
    assert main(["--delete", "main", "--yes"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "Deleted no finished builds of main\n")


def test_job_deletes_builds_without_confirming(
    keeper: FakeKeeper, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    environment["LTDKEEPER_IDENTITY_TOKEN"] = IDENTITY
    keeper.answers |= {
        "GET /products/handbook/builds/?git_ref=a&state=finished": {
            "builds": [f"{KEEPER}/builds/1"],
            "next": None,
        }
    }
    assert main(["--delete", "a"]) == 0
    assert keeper.calls[-2:] == [DELETE, REVOKE]
    assert capsys.readouterr().err.endswith("Deleted 1 build of a\n")


GITHUB = {
    "ACTIONS_ID_TOKEN_REQUEST_URL": f"{KEEPER}/token?v=2",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-runner",
}
IDENTITIES = {
    "GitHub": GITHUB,
    "CircleCI": {"CIRCLECI": "true"},
    "Buildkite": {"BUILDKITE": "true"},
    "Bitbucket": {"BITBUCKET_STEP_OIDC_TOKEN": IDENTITY},
    "a variable, rather than what the CI system has": {
        "LTDKEEPER_IDENTITY_TOKEN": IDENTITY,
        "LTDKEEPER_API_KEY": API_KEY,
        "CIRCLECI": "true",
    },
}
PROGRAMS = {
    "circleci": ["circleci", "run", "oidc", "get", "--claims", '{"aud":"docs keeper"}'],
    "buildkite-agent": [
        *("buildkite-agent", "oidc", "request-token"),
        *("--audience", "docs keeper", "--claim", "pipeline_id"),
    ],
}


@pytest.mark.parametrize("variables", IDENTITIES.values(), ids=IDENTITIES)
def test_identity_token_is_found_and_exchanged(
    variables: dict[str, str],
    keeper: FakeKeeper,
    s3: Any,
    site: str,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(command: list[str], **_: Any) -> Any:
        assert command == PROGRAMS[command[0]]
        return SimpleNamespace(stdout=f"{IDENTITY}\n")

    monkeypatch.setattr("subprocess.run", run)
    del environment["LTDKEEPER_API_KEY"]
    environment |= variables
    assert main([site]) == 0
    assert keeper.bodies[EXCHANGE] == {"token": IDENTITY, "products": ["handbook"]}
    assert keeper.tokens[EXCHANGE] is None
    assert keeper.calls[-4:] == [REGISTER, ASK, FINISH, REVOKE]
    assert keeper.tokens[FINISH] == f"Bearer {JOB_TOKEN}"
    if variables is GITHUB:
        assert keeper.tokens["GET /token?v=2&audience=docs%20keeper"] == "Bearer of-the-runner"


def test_product_is_the_only_one_that_the_job_may_have(
    keeper: FakeKeeper, s3: Any, site: str, environment: dict[str, str]
) -> None:
    environment |= {"LTDKEEPER_IDENTITY_TOKEN": IDENTITY, "LTDKEEPER_PRODUCT": ""}
    assert main([site]) == 0
    assert keeper.bodies[EXCHANGE] == {"token": IDENTITY}
    assert REGISTER in keeper.calls


def test_job_that_may_have_several_products_has_to_name_one(
    keeper: FakeKeeper,
    site: str,
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment |= {"LTDKEEPER_IDENTITY_TOKEN": IDENTITY, "LTDKEEPER_PRODUCT": ""}
    keeper.answers[EXCHANGE] = {"token": JOB_TOKEN, "products": ["guide", "handbook"]}
    assert main([site]) == 2
    assert keeper.calls == [EXCHANGE, REVOKE]
    assert "This job may upload guide, handbook." in capsys.readouterr().err


def test_api_key_counts_before_what_the_ci_system_offers(
    keeper: FakeKeeper, s3: Any, site: str, environment: dict[str, str]
) -> None:
    environment |= GITHUB
    assert main([site]) == 0
    assert EXCHANGE not in keeper.calls


REFUSALS = {
    "refused": (problem(403), 1, "The keeper says no. (no)"),
    "a permanent error of the store's": (problem(502), 3, ": The keeper says no. (no)"),
    "a page of a proxy": (problem(502, body=b"<html>"), 3, f"{KEEPER} responded with 502 Status."),
    "a redirect": (problem(302, body=b""), 1, f"{KEEPER} responded with 302 Status."),
    "no JSON": (b"<html>", 3, "did not respond with JSON."),
    "no answer, so that the build may exist": (
        URLError("timed out"),
        3,
        "keeper.example.org does not answer: timed out.",
    ),
    "another's certificate": (
        URLError(ssl.SSLCertVerificationError("of another host")),
        3,
        "keeper.example.org does not answer: ('of another host',).",
    ),
}


@pytest.mark.parametrize(("answer", "code", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_refusal_is_a_sentence_and_an_exit_code(
    answer: Any,
    code: int,
    sentence: str,
    keeper: FakeKeeper,
    site: str,
    waits: list[float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    keeper.answers[REGISTER] = answer
    assert main([site]) == code
    assert capsys.readouterr().err.endswith(f"{sentence}\n")
    assert (keeper.calls, waits) == ([REGISTER], [])


def test_redirect_is_not_followed(site: str, environment: dict[str, str]) -> None:
    """It would take the token along."""
    seen = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            send(self, b"", 302, Location="/elsewhere")

        def do_GET(self) -> None:
            seen.append(self.path)
            send(self, b"{}")

    with serving(Redirecting) as url:
        code = main([site, "--keeper", url])
    assert (code, seen) == (1, [])


def test_answer_that_comes_before_the_whole_body_is_read() -> None:
    """A service that refuses a large file closes the connection while the file is still sent."""

    class Refusing(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            send(self, b'{"detail": "Too large.", "code": "body_too_large"}', 413)

    parts = [bytes(PART_BYTES)] * 100
    headers = {"Content-Length": str(100 * PART_BYTES)}
    with serving(Refusing) as url, pytest.raises(Failure, match="body_too_large"):
        Keeper(url).call("PUT", "/builds/1/objects/a", (headers, lambda: iter(parts)))


def test_keeper_that_is_busy_is_asked_again(
    keeper: FakeKeeper, s3: Any, site: str, waits: list[float]
) -> None:
    keeper.answers[REGISTER] = [problem(429, retry_after="7"), problem(503), BUILD]
    busy = problem(503, retry_after="9000")
    keeper.answers[ASK] = [URLError(ConnectionResetError()), busy, SESSION]
    assert main([site]) == 0
    assert waits == [7, 4, 2, 60]


def test_keeper_that_stays_away_is_given_up(
    keeper: FakeKeeper, site: str, waits: list[float]
) -> None:
    keeper.answers[REGISTER] = URLError(ConnectionRefusedError())
    assert main([site]) == 3
    assert waits == [2, 4, 8, 16]


@pytest.mark.parametrize("own", [True, False], ids=["job token of its own", "API key"])
def test_build_that_nobody_could_continue_is_deleted(
    own: bool,  # noqa: FBT001
    keeper: FakeKeeper,
    site: str,
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment |= {"LTDKEEPER_IDENTITY_TOKEN": IDENTITY} if own else {}
    keeper.answers[ASK] = problem(409)
    assert main([site]) == 1
    assert keeper.calls[-2:] == ([DELETE, REVOKE] if own else [REGISTER, ASK])
    hint = f"To continue this build, add --build {KEEPER}/builds/1\n"
    assert (hint in capsys.readouterr().err) is not own


def test_first_failed_upload_ends_the_transfer(
    keeper: FakeKeeper,
    s3: Any,
    site: str,
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    s3.delete_bucket(Bucket=BUCKET)
    del environment["AWS_PROFILE"]  # moto itself reads it before it answers with an error
    assert main([site]) == 3
    assert FINISH not in keeper.calls
    sentence = "The upload failed: An error occurred .NoSuchBucket."
    assert re.search(sentence, capsys.readouterr().err)


def test_interrupted_upload_says_how_to_continue(
    keeper: FakeKeeper, s3: Any, site: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keeper.answers[FINISH] = KeyboardInterrupt()
    assert main([site]) == 130
    assert f"--build {KEEPER}/builds/1\nInterrupted.\n" in capsys.readouterr().err


# A variable that is not set, arguments, what is said of it.
MISTAKES = {
    "no keeper": ("LTDKEEPER_URL", [], "arguments are required: --keeper"),
    "no product for an API key": ("LTDKEEPER_PRODUCT", [], "Name the product with --product."),
    "a title for a product": (
        "",
        ["--product", "Hand Book"],
        "'Hand Book' is not the name of a product",
    ),
    "no token": ("LTDKEEPER_API_KEY", [], "neither an identity token nor an API key"),
    "no branch": ("CI_COMMIT_REF_NAME", [], "Name the branch or tag with --git-ref."),
    "plain http": (
        "",
        ["--keeper", "http://keeper.example.org"],
        "http://keeper.example.org/products/handbook/builds/ does not begin with https://",
    ),
    "a deletion with an API key": (
        "",
        ["--delete", "main"],
        "Confirm with --yes that all builds of main go.",
    ),
    "no uploads at once": ("", ["--jobs", "0"], "--jobs takes a number from 1 on"),
    "a deletion of nothing": ("", ["--yes", "--delete", ""], "--delete must not be empty"),
    "no build to continue": ("", ["--build", ""], "--build and --delete must not be empty"),
    "a check that would delete": ("", ["--check", "--build", "1"], "not allowed with argument"),
}


@pytest.mark.parametrize(("missing", "more", "sentence"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_reported(
    missing: str,
    more: list[str],
    sentence: str,
    site: str,
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment.pop(missing, None)
    try:
        code: Any = main([site, *more])
    except SystemExit as ended:
        code = ended.code
    assert (code, sentence in capsys.readouterr().err) == (2, True)


REFS = {
    "a branch on GitHub": ({"GITHUB_REF": "refs/heads/a", "GITHUB_REF_NAME": "a"}, "a"),
    "a pull request": (
        {"GITHUB_REF": "refs/pull/7/merge", "GITHUB_REF_NAME": "7/merge"},
        "refs/pull/7/merge",
    ),
    "a merge request": (
        {"CI_MERGE_REQUEST_REF_PATH": "refs/merge-requests/7/head", "CI_COMMIT_REF_NAME": "a"},
        "refs/merge-requests/7/head",
    ),
    "a tag on CircleCI": ({"CIRCLE_BRANCH": "", "CIRCLE_TAG": "v1"}, "v1"),
}


@pytest.mark.parametrize(("variables", "ref"), REFS.values(), ids=REFS)
def test_branch_is_that_of_the_ci_job(variables: dict[str, str], ref: str) -> None:
    assert git_ref(variables) == ref


TYPES = {
    "index.html": "text/html",
    "search.js": "text/javascript",
    "a.woff2": "font/woff2",
    "objects.inv": "application/octet-stream",
    "without-ending": "application/octet-stream",
    "handbook.tar.gz": "application/x-gzip",
}


@pytest.mark.parametrize(("name", "kind"), TYPES.items(), ids=TYPES)
def test_type_goes_by_the_name(name: str, kind: str) -> None:
    assert SiteFile(path=Path(), name=name, size=0).content_type == kind


@pytest.mark.parametrize("target", ["/etc/hostname", "_static", "missing"])
def test_link_to_anything_but_a_file_of_the_site_is_refused(target: str, site: str) -> None:
    (Path(site) / "copy.html").symlink_to("index.html")
    assert len(files_below(Path(site))) == 3
    (Path(site) / "::warning::link").symlink_to(target)
    # No name begins the line: CI might read a command.
    with pytest.raises(Failure, match=r"^The link \S+::link does not lead to a file in"):
        files_below(Path(site))


@pytest.mark.parametrize("name", SITES)
def test_site_is_found_if_there_is_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("public").mkdir(exist_ok=True)  # of a program's source, without a page
    Path(name).mkdir(parents=True, exist_ok=True)
    with pytest.raises(Failure, match=r"none of html, public, site, "):
        only_site()
    Path(name, "index.html").touch()
    assert only_site() == name
    other = Path("site" if name != "site" else "html")
    other.mkdir()
    (other / "index.html").touch()
    with pytest.raises(Failure, match=r"index\.html: .*, "):
        only_site()


def test_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".doctrees").mkdir()
    (tmp_path / ".doctrees" / "index.doctree").touch()
    (tmp_path / "empty").mkdir()
    what = {"": "contains no files", "htlm": "does not exist"}
    for name, sentence in (what | {".doctrees/index.doctree": "is not a folder"}).items():
        with pytest.raises(Failure, match=f"{name} {sentence}"):
            files_below(tmp_path / name)


def test_hidden_files_are_uploaded_but_for_caches_and_sources(tmp_path: Path) -> None:
    gone = (".doctrees/environment.pickle", "en/.doctrees/index.doctree", ".git/config", "b/.git")
    kept = [".buildinfo", ".nojekyll", ".well-known/security.txt", "git/.gitignore"]
    for name in (*gone, *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".git" / "link").symlink_to("/etc")
    assert [file.name for file in files_below(tmp_path)] == kept


@pytest.mark.parametrize("on_terminal", [True, False], ids=["terminal", "log"])
def test_progress_is_a_bar_on_a_terminal_and_a_line_in_a_log(
    on_terminal: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: on_terminal)
    files = [SiteFile(path=Path(), name="index.html", size=1_000_000)] * 2
    show_progress(iter([None] * 2), files)
    bar = f"\r[{'#' * 30}] " if on_terminal else ""
    assert capsys.readouterr().err == f"{bar}2 of 2 files, 2,000 of 2,000 kB\n"


def test_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\n::stop-commands::b")
    assert capsys.readouterr().err == "a ::stop-commands::b\n"
