"""The service, over HTTP: its calls, and the token that this job makes them with."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from ltdkeeper_upload import __version__

REFUSED, USAGE, FAILED = 1, 2, 3
ATTEMPTS, TIMEOUT_SECONDS, LONGEST_WAIT_SECONDS = 5, 60, 60
LOOPBACK = ("127.0.0.1", "::1", "localhost")
KEY_VARIABLES = ("LTDKEEPER_API_KEY", "LTD_PASSWORD")
IDENTITY_VARIABLES = ("LTDKEEPER_IDENTITY_TOKEN", "BITBUCKET_STEP_OIDC_TOKEN")
GITHUB_URL, GITHUB_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
# By the variable that the CI system sets in every job: what prints the job's identity token.
IDENTITY_PROGRAMS = {
    "CIRCLECI": 'circleci run oidc get --claims {"aud":"AUDIENCE"}',
    "BUILDKITE": "buildkite-agent oidc request-token --audience AUDIENCE --claim pipeline_id",
}
# Only then is a POST repeated: an identity token works once, and each registration makes a build.
NEVER_ARRIVED = (ConnectionRefusedError, socket.gaierror)
NOT_AUTHENTICATED = (
    "This job has neither an identity token nor an API key. On GitHub, give it the permission"
    " `id-token: write`; elsewhere, set LTDKEEPER_IDENTITY_TOKEN or LTDKEEPER_API_KEY."
)


class Failure(Exception):
    """A sentence, the exit code, and after how many seconds a retry may help; 0 if not known."""

    def __init__(self, sentence: str, code: int = FAILED, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.code, self.retry_after = code, retry_after


def say(sentence: object) -> None:
    """Write one line to standard error: a name must not begin another, maybe a command to CI."""
    sys.stderr.write(" ".join(str(sentence).split()) + "\n")


class Handler(HTTPHandler, HTTPSHandler, HTTPRedirectHandler):
    """Follows no redirect: the token would go along. Reads a response given before the body."""

    def redirect_request(self, *_: Any) -> None: ...

    def do_open(self, http_class: Any, *args: Any, **named: Any) -> Any:
        class Connection(http_class):  # type: ignore[misc]
            def endheaders(self, *body: Any, **named: Any) -> None:
                self.connect()
                with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                    super().endheaders(*body, **named)

        return super().do_open(Connection, *args, **named)


class Keeper:
    """One ltdkeeper, called with `token`: an API key, an access token or a job token."""

    def __init__(self, url: str) -> None:
        self.url, self.token, self.product = url.rstrip("/"), "", ""
        self._opener = build_opener(Handler)

    def call(self, method: str, where: str, body: Any = None, attempts: int = ATTEMPTS) -> Any:
        """The JSON response of a path. Of an address, only that counts: no other host gets the
        token. Tries again where it may help, also while uploads are too many. Raises Failure."""
        url = f"{self.url}/{urlsplit(where)._replace(scheme='', netloc='').geturl().lstrip('/')}"
        tried = 0
        while True:
            try:
                return self.send(method, url, body, self.token)
            except Failure as failure:
                waits_its_turn = str(failure).endswith("(too_many_uploads)")
                tried += not waits_its_turn
                if failure.retry_after is None or tried == attempts:
                    raise
                seconds = min(failure.retry_after or 2**tried, LONGEST_WAIT_SECONDS)
                if not waits_its_turn:
                    say(f"{failure} Trying again in {seconds} s.")
            time.sleep(seconds)

    def send(self, method: str, url: str, body: Any, token: str) -> Any:
        """One request, of JSON or a tuple of headers and what gives the bytes. Raises Failure."""
        host = urlsplit(url)
        if host.scheme != "https" and host.hostname not in LOOPBACK:
            raise Failure(f"{url} does not begin with https://, which tokens need.", USAGE)
        headers = {"Accept": "application/json", "User-Agent": f"ltdkeeper-upload/{__version__}"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        if isinstance(body, tuple):
            headers, body = headers | body[0], body[1]()
        elif body is not None:
            headers["Content-Type"], body = "application/json", json.dumps(body).encode()
        request = Request(url, body, headers, method=method)  # noqa: S310 - checked above
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return json.loads(answer.read() or "null")
        except HTTPError as err:
            raise refusal(err) from None
        except ValueError:
            raise Failure(f"{url} did not respond with JSON.") from None
        except (OSError, HTTPException) as err:
            reason = getattr(err, "reason", err)
            once = method == "POST" and not isinstance(reason, NEVER_ARRIVED)
            again = None if once or isinstance(reason, ssl.SSLCertVerificationError) else 0
            raise Failure(f"{host.netloc} does not answer: {reason}.", retry_after=again) from None


def refusal(err: HTTPError) -> Failure:
    """The keeper's own sentence, or the status that something in front of it responds with."""
    try:
        problem = json.loads(err.read())
        sentence = f"{urlsplit(err.url).path}: {problem['detail']} ({problem['code']})"
    except (ValueError, LookupError, TypeError, OSError, HTTPException):
        sentence = f"{err.url} responded with {err.code} {err.reason}."
    if err.code not in (429, 503):
        return Failure(sentence, FAILED if str(err.code).startswith("5") else REFUSED)
    after = err.headers.get("Retry-After") or ""
    return Failure(sentence, retry_after=int(after) if after.isdigit() else 0)


def first_of(environment: Mapping[str, str], *names: str) -> str:
    """The first of the variables that is set."""
    return next((environment[name] for name in names if environment.get(name)), "")


@contextmanager
def authenticated(keeper: Keeper, product: str, environment: Mapping[str, str]) -> Iterator[bool]:
    """Give the keeper a token and its product, by default the job's only one. Yields whether the
    token is of this run, which revokes it. Variables count before what CI offers. Raises Failure"""
    identity = first_of(environment, *IDENTITY_VARIABLES)
    key = first_of(environment, *KEY_VARIABLES)
    if key and not identity:
        if not product:
            raise Failure("Name the product with --product.", USAGE)
        keeper.token, keeper.product = key, product
        yield False
        return
    body: Any = {"token": identity or identity_token(keeper, environment)}
    job = keeper.call("POST", "/oidc/token", body | ({"products": [product]} if product else {}))
    keeper.token, keeper.product = job["token"], job["products"][0]
    try:
        if "," in (names := ", ".join(job["products"])):
            raise Failure(f"Name one product with --product. This job may upload {names}.", USAGE)
        yield True
    finally:
        with suppress(Failure):
            keeper.call("DELETE", "/token", attempts=1)


def identity_token(keeper: Keeper, environment: Mapping[str, str]) -> str:
    """What the CI system signs for this job and this keeper. Raises Failure."""
    programs = [program for name, program in IDENTITY_PROGRAMS.items() if name in environment]
    if not programs and GITHUB_URL not in environment:
        raise Failure(NOT_AUTHENTICATED, USAGE)
    audience = keeper.call("GET", "/oidc/audience")["audience"]
    if GITHUB_URL in environment:
        url = f"{environment[GITHUB_URL]}&audience={quote(audience, safe='')}"
        return str(keeper.send("GET", url, None, environment[GITHUB_TOKEN])["value"])
    command = [word.replace("AUDIENCE", audience) for word in programs[0].split()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as err:
        raise Failure(f"`{command[0]}` gives no identity token: {err}.") from None
    return done.stdout.strip()
