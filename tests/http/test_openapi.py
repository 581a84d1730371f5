"""The OpenAPI document says what the service does: every status, media type and shape of answers
to what schemathesis makes of it.
"""

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from django.test import Client as Browser
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import BaseAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from urllib3 import HTTPResponse

from builds.models import Build, Product
from credentials.access.callers import Caller
from ltdkeeper.api.schema import made_document
from ltdkeeper.middleware import GuardedRequest
from tests.conftest import raw_key
from tests.fake_sts import FakeSts
from tests.fuzz.cases import trying
from tests.http.callers import CALLERS, World, bearer
from tests.http.fake_s3 import FakeS3

pytestmark = pytest.mark.django_db

HOME = "https://keeper.example.org"
CREATED = 201
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
DOCUMENT = made_document()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {
    each.ok().definition.raw["operationId"]: each.ok() for each in SCHEMA.get_all_operations()
}
CASES = {name: operation.as_strategy() for name, operation in OPERATIONS.items()}


def put(case: Any, **names: Any) -> None:
    """Let a case be about rows that are there."""
    case.path_parameters.update(
        {name: names[name] for name in names if name in case.path_parameters}
    )


class InProcess(BaseAdapter):
    """Requests go to Django's test client, as the server would make them."""

    def __init__(self, shown: dict[str, str]) -> None:
        super().__init__()
        self._client = Browser(raise_request_exception=False)
        self.shown = shown

    def send(self, request: Any, *_args: Any, **_kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url)
        answer = self._client.generic(
            request.method,
            f"{parts.path}?{parts.query}",
            request.body or b"",
            content_type=request.headers.get("Content-Type", ""),
            secure=True,
            **self.shown,
        )
        response = requests.Response()
        response.status_code, response._content = answer.status_code, answer.content
        response.headers.update(answer.headers)
        response.raw = HTTPResponse(headers=dict(answer.headers), status=answer.status_code)
        response.request, response.url = request, request.url
        return response

    def close(self) -> None:
        pass


@pytest.fixture
def session(
    caller: Caller, build: Build, sts: FakeSts, s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> requests.Session:
    monkeypatch.setattr("django.test.client.WSGIRequest", GuardedRequest)
    session = requests.Session()
    session.mount(HOME, InProcess(bearer(raw_key(caller))))
    return session


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
@trying(15)
@given(data=st.data())
def test_answers_are_as_documented(
    name: str, data: st.DataObject, session: requests.Session, build: Build
) -> None:
    case = data.draw(CASES[name])
    for there in (False, True):  # the build and the product that are there, now and then
        if there:
            put(case, build_id=build.pk, slug="guide")
        case.validate_response(case.call(base_url=HOME, session=session), checks=CHECKS)


@pytest.fixture
def callers(caller: Caller, make_product: Any, now: datetime) -> dict[str, dict[str, str]]:
    """What every kind of caller shows."""
    products = {"product": Product.objects.get(), "other_product": make_product("other")}
    world = World(**products, client=caller.client, now=now)
    job = world.job()
    return {kind: shown_by(world, job) for kind, shown_by in CALLERS.items()}


@pytest.mark.slow
@trying(15)
@given(data=st.data())
def test_any_callers_in_any_order_are_answered_as_documented(
    data: st.DataObject, session: requests.Session, build: Build, callers: dict[str, dict[str, str]]
) -> None:
    builds, products = [build.pk], ["guide", "other"]
    steps = st.tuples(st.sampled_from(list(CASES)), st.sampled_from(list(callers)))
    for name, kind in data.draw(st.lists(steps, min_size=5, max_size=10)):
        case = data.draw(CASES[name])
        put(case, build_id=data.draw(st.sampled_from(builds)))
        put(case, slug=data.draw(st.sampled_from(products)))
        session.get_adapter(HOME).shown = callers[kind]  # type: ignore[attr-defined]
        response = case.call(base_url=HOME, session=session)
        case.validate_response(response, checks=CHECKS)
        if name == "register_build" and response.status_code == CREATED:
            builds.append(int(response.json()["self_url"].rpartition("/")[2]))


TOKENS = [{"basic": []}, {"bearer": []}]


def test_each_operation_has_a_summary_a_tag_and_either_kind_of_token() -> None:
    for operation in OPERATIONS.values():
        raw = operation.definition.raw
        assert re.match(r"[A-Z]", raw["summary"])
        assert len(raw["tags"]) == 1
        kinds = [{"operator": []}] if raw["tags"] == ["sessions"] else TOKENS
        assert raw.get("security", []) in ([], [{}], kinds)


def test_document_says_what_may_be_null_and_which_values_there_are() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    members = schemas["Build"]["properties"]
    assert members["date_ended"]["nullable"]
    assert members["git_refs"]["items"] == {"type": "string"}
    assert schemas["StateEnum"]["enum"] == Build.State.values
    assert schemas["NewProduct"]["properties"]["slug"]["pattern"] == "^[a-z]+[-a-z0-9]*[a-z0-9]+$"
    assert schemas["Finish"]["required"] == ["uploaded"]
    assert "200" in DOCUMENT["paths"]["/builds/{build_id}"]["delete"]["responses"]


def test_parameters_have_their_bounds() -> None:
    bounds = {
        parameter["name"]: parameter["schema"]
        for operations in made_document()["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", [])
    }
    slug = {"type": "string", "pattern": "^[a-z]+[-a-z0-9]*[a-z0-9]+$", "maxLength": 63}
    assert bounds["slug"] == slug
    assert bounds["build_id"] == {"type": "integer", "minimum": 1}
    assert bounds["expires_in"] == {"type": "integer", "minimum": 300, "maximum": 43_200}
