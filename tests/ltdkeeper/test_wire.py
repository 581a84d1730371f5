"""Strict fields: what is not exactly of the type is refused; and how answers are written."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from builds.names import has_controls
from credentials.rules.secret import Secret
from ltdkeeper.api.wire import (
    KnownFieldsOnly,
    OrjsonRenderer,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictJSONParser,
    StrictListField,
    public_url,
)

Field = serializers.Field[Any, Any, Any, Any]
MakeField = Callable[[], Any]
OTHER_THAN_TEXT = [7, 1.5, True, [], ["a"], {}, {"a": "b"}, b"a"]

TAKEN: dict[str, tuple[MakeField, Any]] = {
    "text": (StrictCharField, "guide"),
    "spaces around": (StrictCharField, " guide "),
    "letters of any script": (StrictCharField, "caf\u00e9 \u65e5\u672c \U0001f4da"),
    "joiners": (StrictCharField, "\u0dc1\u0dca\u200d\u0dbb\u0dd3 \u0645\u06cc\u200c\u062e"),
    "private and unassigned": (StrictCharField, "\ue000\U000e0001\u0378"),
    "empty, where allowed": (lambda: StrictCharField(allow_blank=True), ""),
    "integer": (StrictIntegerField, 900),
    "negative integer": (StrictIntegerField, -1),
    "true": (StrictBooleanField, True),
    "false": (StrictBooleanField, False),
    "list": (lambda: StrictListField(child=StrictCharField(), limit=2), ["a", "b"]),
    "empty list": (lambda: StrictListField(child=StrictCharField(), limit=2), []),
}


def test_value_of_the_type_is_taken_unchanged() -> None:
    for case, (make_field, value) in TAKEN.items():
        assert make_field().run_validation(value) == value, case


REFUSED: dict[str, tuple[MakeField, list[Any]]] = {
    "not text": (StrictCharField, OTHER_THAN_TEXT),
    "null for text": (StrictCharField, [None]),
    "blank": (StrictCharField, [""]),
    "control characters": (StrictCharField, ["a\n", "\na", "a\tb", "a\0", "\x7f", "a\x85b", "\r"]),
    "reordering and separators": (StrictCharField, ["\u202e", "a\u2066b", "\u2028", "a\u2029b"]),
    "half a character": (StrictCharField, ["\ud800", "a\udfff"]),
    "too long": (lambda: StrictCharField(max_length=3), ["abcd"]),
    "not an integer": (StrictIntegerField, ["900", 900.0, True, False, [], {}, None, "1e3"]),
    "out of range": (lambda: StrictIntegerField(min_value=900), [899]),
    "not a boolean": (StrictBooleanField, ["true", "True", "yes", 1, 0, 0.0, "", [], {}, None]),
    "not a list": (lambda: StrictListField(child=StrictCharField(), limit=2), ["ab", {}, 7]),
    "too many": (lambda: StrictListField(child=StrictCharField(), limit=2), [["a", "b", "c"]]),
    "a member of another type": (
        lambda: StrictListField(child=StrictCharField(), limit=2),
        [["a", 7], [["a"]], [None]],
    ),
}


def test_other_value_is_refused() -> None:
    for make_field, values in REFUSED.values():
        for value in values:
            with pytest.raises(ValidationError):
                make_field().run_validation(value)


def test_long_list_is_refused_before_its_members_are_read() -> None:
    class Never(serializers.CharField):
        def run_validation(self, *_: Any) -> Any:
            raise AssertionError

    with pytest.raises(ValidationError, match="At most 2 members"):
        StrictListField(child=Never(), limit=2).run_validation([7] * 3)


@given(st.text())
def test_text_is_taken_unchanged_or_refused(text: str) -> None:
    try:
        assert StrictCharField().run_validation(text) == text
    except ValidationError:
        assert has_controls(text) or not text


class Example(KnownFieldsOnly):
    seconds = StrictIntegerField(required=False)


def test_unknown_member_is_refused_by_name() -> None:
    serializer = Example(data={"seconds": 900, "secnods": 900})
    assert not serializer.is_valid()
    assert serializer.errors == {"secnods": ["Unknown field."]}


@pytest.mark.parametrize("data", [{}, {"seconds": 900}])
def test_known_members_are_taken(data: dict[str, int]) -> None:
    serializer = Example(data=data)
    assert serializer.is_valid()
    assert serializer.validated_data == data


def test_body_that_is_no_object_is_refused() -> None:
    for data in ([], "text", 7, [{"seconds": 900}]):
        assert not Example(data=data).is_valid(), data


# What is no JSON, and which media types and Accept headers there are: tests/http.
def test_json_is_parsed() -> None:
    body = '{"a": ["caf\u00e9", 1, true, null]}'.encode()
    assert StrictJSONParser().parse(io.BytesIO(body)) == {"a": ["caf\u00e9", 1, True, None]}


def test_answer_is_json_and_nothing_is_nothing() -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    written = OrjsonRenderer().render({"at": moment, 7: "a number as a name"})
    assert orjson.loads(written) == {"at": "2026-11-23T00:00:00+00:00", "7": "a number as a name"}
    assert OrjsonRenderer().render(None) == b""


def test_answer_shows_asterisks_for_a_secret() -> None:
    assert OrjsonRenderer().render({"key": Secret("hidden")}) == b'{"key":"***"}'


def test_addresses_come_from_the_setting_alone(settings: Settings) -> None:
    settings.LTD_PUBLIC_URL = "https://docs.example.org:8443"
    assert public_url("/builds/7") == "https://docs.example.org:8443/builds/7"
