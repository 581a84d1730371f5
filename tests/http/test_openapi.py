"""The OpenAPI document says what the service does: every status, media type and shape of answers
to what schemathesis makes of it.
"""

import re
from datetime import datetime
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

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
DOCUMENT = made_document()
OPERATIONS = {
    operation["operationId"]: operation
    for path in DOCUMENT["paths"].values()
    for operation in path.values()
}


def put(case: Any, **names: Any) -> None:
    """Let a case be about rows that are there."""
    case.path_parameters.update(
        {name: names[name] for name in names if name in case.path_parameters}
    )


@pytest.fixture
def session(
    caller: Caller, build: Build, sts: FakeSts, s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> requests.Session:
    from tests.http.documented import InProcess  # noqa: PLC0415

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
    from tests.http.documented import CASES, CHECKS  # noqa: PLC0415

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
    from tests.http.documented import CASES, CHECKS  # noqa: PLC0415

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
    for raw in OPERATIONS.values():
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
        for operation in OPERATIONS.values()
        for parameter in operation.get("parameters", [])
    }
    slug = {"type": "string", "pattern": "^[a-z]+[-a-z0-9]*[a-z0-9]+$", "maxLength": 63}
    assert bounds["slug"] == slug
    assert bounds["build_id"] == {"type": "integer", "minimum": 1}
    assert bounds["expires_in"] == {"type": "integer", "minimum": 300, "maximum": 43_200}
