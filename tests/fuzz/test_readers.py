"""Whatever is pasted, shown or logged: read without a failure, and no secret of it goes on."""

import logging
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builds.names import has_controls
from credentials.access.identity_tokens import read_unverified
from credentials.errors import InvalidIdentityToken
from credentials.operations.lookup import exports_with, findings_about, look_up, sessions_of
from credentials.rules.identifiers import recognise
from credentials.rules.tokens import TokenKind, new_token, parse_token
from tests.fuzz.cases import TEXTS, VALUES, encoded_part, fuzzed
from tests.fuzz.guided import TARGETS
from tests.http.leaks import logs_as_deployed

ALPHABETS = ["/:.[]@%=?&- sltdk_https", 'eyJ.{}":,', "ltdksj_0123456789abcdef", "0123456789.:/"]
PASTED = TEXTS | st.sampled_from(ALPHABETS).flatmap(lambda of: st.text(of, max_size=120))
AROUND = st.text(max_size=20) | st.sampled_from(["Bearer ", "https://ci:", "{'key': '", "%22", "="])


@pytest.mark.django_db
@fuzzed
@given(PASTED)
def test_what_is_pasted_is_looked_up(text: str) -> None:
    identifiers = recognise(text)
    rows = [row for found in look_up(identifiers).values() for row in found]
    assert sessions_of(rows) == exports_with(identifiers) == findings_about(identifiers, rows) == []


@given(PASTED)
def test_tokens_are_read(text: str) -> None:
    token = parse_token(text)
    assert token is None or text not in repr(token)


MEMBERS = st.sampled_from(["alg", "kid", "iss", "crit", "b64"])
OBJECTS = st.dictionaries(MEMBERS, VALUES | st.sampled_from(["RS256", "ES256"]), max_size=4)
PARTS = (OBJECTS | VALUES | st.binary(max_size=40)).map(encoded_part)


@given(PASTED | st.lists(PARTS, min_size=2, max_size=4).map(".".join))
def test_identity_tokens_are_read(text: str) -> None:
    with suppress(InvalidIdentityToken):
        issuer, key_id = read_unverified(text)
        assert not has_controls(issuer + key_id)


@pytest.mark.parametrize("renderer", ["json", "console"])
@given(st.sampled_from(list(TokenKind)), AROUND, AROUND, TEXTS)
def test_line_of_the_log_is_one_and_holds_no_token(
    renderer: str, kind: TokenKind, before: str, after: str, other: str
) -> None:
    token = new_token(kind).text.reveal()
    with logs_as_deployed(level="DEBUG", renderer=renderer) as stream:
        logging.getLogger("any").warning("%s", f"{before}{token}{after}{other}")
    line = stream.getvalue()
    assert token.rpartition("_")[2] not in line
    assert line.endswith("\n")
    assert not has_controls(line[:-1])
    assert len(line) < 8000


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_that_the_second_fuzzer_begins_with_are_read(name: str) -> None:
    read, seeds = TARGETS[name]
    for seed in seeds:
        read(seed)
