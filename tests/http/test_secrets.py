"""After every flow at DEBUG: no secret in the database, the logs, the error answers, the admin, the
metrics or a crash report.
"""

import faulthandler
import logging
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from tempfile import TemporaryFile
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.signals import got_request_exception
from django.test import Client as Browser
from django.views.debug import ExceptionReporter

from builds.models import Build
from credentials.access.callers import Caller
from credentials.access.refusals import refused_calls
from credentials.models import IssuedSession
from ltdkeeper.logs import NEVER_BELOW_INFO
from tests.conftest import raw_key
from tests.http.canned_sts import CannedSts
from tests.http.conftest import Send
from tests.http.endpoints import ISSUE, TOKEN
from tests.http.flows import FLOWS, Flows
from tests.http.leaks import admin_pages, database_bytes, found, logs_as_deployed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.sqlite]


@pytest.fixture
def logs(request: pytest.FixtureRequest) -> Iterator[StringIO]:
    """What the service logs at DEBUG: as JSON, or as the test's parameter says."""
    renderer = getattr(request, "param", "json")
    with logs_as_deployed(level="DEBUG", renderer=renderer) as stream:
        yield stream


@pytest.fixture
def crashes() -> Iterator[list[bytes]]:
    """What Django's reporter and the interpreter's would write of each bug. Neither is in use."""
    reports: list[bytes] = []

    def report(request: Any, **_: Any) -> None:
        reporter = ExceptionReporter(request, *sys.exc_info())
        reports.append((reporter.get_traceback_text() + reporter.get_traceback_html()).encode())
        with TemporaryFile() as file:
            faulthandler.dump_traceback(file)
            file.seek(0)
            reports.append(file.read())

    got_request_exception.connect(report)
    yield reports
    got_request_exception.disconnect(report)


@pytest.fixture
def browser(db: None, settings: Any) -> Browser:
    settings.LTD_METRICS_TOKEN = "only-for-tests"
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root"))
    return browser


@pytest.fixture
def flows(send: Send, canned: CannedSts, build: Build, caller: Caller) -> Flows:
    return Flows(send, canned, build, raw_key(caller))


def places(flows: Flows, logs: StringIO, browser: Browser) -> dict[str, bytes]:
    """Everything that is left behind."""
    return {
        "errors": b"".join(flows.errors),
        "admin": admin_pages(browser),
        "metrics": browser.get("/metrics", HTTP_AUTHORIZATION="Bearer only-for-tests").content,
        "database": database_bytes(),
        "logs": logs.getvalue().encode(),
    }


CLOSING = ("finish", "meet cut answers", "be withheld")  # after these the build is closed


@pytest.mark.parametrize("logs", ["json", "console"], indirect=True)
@pytest.mark.parametrize("last", CLOSING)
def test_no_flow_leaves_a_secret_behind(
    last: str, flows: Flows, logs: StringIO, browser: Browser
) -> None:
    for name in (*(name for name in FLOWS if name not in CLOSING), last):
        flows.store.answer = flows.store.session
        FLOWS[name](flows)
    assert len(flows.store.secrets) >= 10
    left = places(flows, logs, browser)
    assert left["errors"]
    assert left["logs"]
    assert b"ltdkeeper_stuck_sessions 0.0" in left["metrics"]
    assert found([*flows.secrets, *flows.store.secrets], left) == set()


def fail_with_what_is_at_hand(vended: Any) -> None:
    raise RuntimeError(f"{vended!r} {vended.assumed} {vars(vended.assumed)}")


@pytest.mark.parametrize("logs", ["json", "console"], indirect=True)
def test_bug_that_prints_the_session_prints_no_secret(
    flows: Flows,
    logs: StringIO,
    browser: Browser,
    crashes: list[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ltdkeeper.api.credentials.render_credentials", fail_with_what_is_at_hand)
    assert flows.call(ISSUE).status_code == 500
    left = places(flows, logs, browser) | {"crash reports": b"".join(crashes)}
    assert b"fail_with_what_is_at_hand" in crashes[0]
    assert "fail_with_what_is_at_hand" in logs.getvalue()
    assert found([*flows.secrets, *flows.store.secrets], left) == set()


def test_bug_outside_a_view_does_not_log_the_query(
    flows: Flows, logs: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = "ltdkeeper.middleware.problem_response"
    monkeypatch.setattr(place, lambda **_: 1 / 0)
    flows.call(TOKEN, f"?key={flows.key}", HTTP_TRANSFER_ENCODING="chunked")
    assert "ZeroDivisionError" in logs.getvalue()
    assert found(flows.secrets, {"logs": logs.getvalue().encode()}) == set()


@pytest.mark.parametrize("level", ["DEBUG", "NOTSET"])
def test_no_level_opens_the_libraries(level: str) -> None:
    with logs_as_deployed(level=level, renderer="json"):
        loggers = [logging.getLogger(f"{library}.parsers") for library in NEVER_BELOW_INFO]
        assert not any(logger.isEnabledFor(logging.DEBUG) for logger in loggers)


# That the search can find something: without these, the tests above could be blind.


def leak_to_the_log(secret: str, flows: Flows) -> None:
    logging.getLogger("some.library").debug("answer %s", secret)


def leak_to_the_database(secret: str, flows: Flows) -> None:
    IssuedSession.objects.update(policy=secret)


def leak_to_an_error(secret: str, flows: Flows) -> None:
    flows.errors.append(f'{{"detail": "{secret}"}}'.encode())


def leak_to_the_metrics(secret: str, flows: Flows) -> None:
    refused_calls.labels(reason=secret)


LEAKS = {
    leak_to_the_log: {"logs"},
    leak_to_the_database: {"database", "admin"},
    leak_to_an_error: {"errors"},
    leak_to_the_metrics: {"metrics"},
}


@pytest.mark.sqlite
@pytest.mark.parametrize("leak", LEAKS)
def test_leaked_secret_is_found(
    leak: Callable[..., None], flows: Flows, logs: StringIO, browser: Browser
) -> None:
    flows.issue()
    secret = flows.store.secrets[-1]
    leak(secret, flows)
    assert found([secret], places(flows, logs, browser)) == LEAKS[leak]


def test_botocore_would_leak_if_it_were_let(flows: Flows, logs: StringIO) -> None:
    logging.getLogger("botocore").setLevel(logging.DEBUG)
    flows.issue()
    assert found(flows.store.secrets, {"logs": logs.getvalue().encode()}) == {"logs"}
