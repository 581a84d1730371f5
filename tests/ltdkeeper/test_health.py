"""`/livez` asks nobody; `/readyz` is 503 while the database is away."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from pytest_django import DjangoAssertNumQueries
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from builds.models import Store
from credentials.operations.schedule import beat
from ltdkeeper.api.service import HealthView, LiveView, ReadyView

ROOT = Path(__file__).resolve().parents[2]


def ask(view: type[HealthView], **headers: str) -> Response:
    response = view.as_view()(APIRequestFactory().get("/", **headers))
    assert isinstance(response, Response)
    return response


def away(error: type[Exception]) -> Any:
    def fail(*_: Any) -> None:
        raise error("the database is gone")

    return connection.execute_wrapper(fail)


def test_process_is_alive_without_a_query(
    db: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        answer = ask(LiveView)
    assert (answer.status_code, answer.data) == (200, {"status": "alive"})


def test_reference_shows_all_that_is_said(store: Store) -> None:
    page = (ROOT / "docs/reference/http.rst").read_text(encoding="utf-8")
    [shown] = re.findall(r'^   {\n     "status": "ready".*?^   }$', page, re.M | re.S)
    assert json.loads(shown).keys() == ask(ReadyView).data.keys()


def test_service_is_ready_with_its_database(store: Store) -> None:
    answer = ask(ReadyView)
    assert (answer.status_code, answer.data["status"]) == (200, "ready")
    assert list(answer.data["stores"]) == ["main"]
    assert answer.data["clock"] == {"age_seconds": None}


def test_service_tells_how_long_ago_a_clock_was_alive(db: None, now: datetime) -> None:
    beat(now - timedelta(hours=1))
    answer = ask(ReadyView)
    assert answer.status_code == 200
    assert answer.data["clock"]["age_seconds"] >= 3600


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_service_is_not_ready_without_its_database(error: type[Exception], db: None) -> None:
    with away(error):
        answer = ask(ReadyView)
    assert (answer.status_code, answer.data) == (503, {"status": "database_unavailable"})


VIEWS = [LiveView, ReadyView]


@pytest.mark.parametrize("view", VIEWS)
def test_answer_is_never_stored_and_says_nothing_of_how_it_is_built(
    view: type[HealthView], store: Store
) -> None:
    answer = ask(view, HTTP_AUTHORIZATION="Bearer wrong")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert "sqlite" not in str(answer.data).lower()
    assert store.role_arn not in str(answer.data)
