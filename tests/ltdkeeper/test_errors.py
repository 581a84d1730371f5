"""Every error that a caller can act on: a stable code, a status, a sentence."""

import re
from collections.abc import Iterator

import builds.errors
import credentials.errors
from builds.errors import DomainError


def kinds(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for each in kind.__subclasses__():
        yield each
        yield from kinds(each)


ERRORS = [kind for kind in kinds() if kind is not credentials.errors.StsError]
# Their sentence depends on the case and is given where they are raised.
SAID_LATER = {
    credentials.errors.DurationOutOfRange,
    credentials.errors.PolicyTooLarge,
    credentials.errors.BadDirectory,
    credentials.errors.BadFile,
    credentials.errors.InvalidIdentityToken,
}


def test_error_has_a_code_a_status_and_a_sentence() -> None:
    for kind in ERRORS:
        error = kind("It is so.") if kind in SAID_LATER else kind()
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", error.code)
        assert error.code != DomainError.code
        assert 400 <= error.status < 600
        assert str(error) == error.message
        assert error.message != DomainError.message


def test_codes_are_told_apart() -> None:
    """A kind without a code of its own is a case of another one, with another sentence."""
    codes = [kind.code for kind in ERRORS if "code" in vars(kind)]
    assert sorted(codes) == sorted(set(codes))


def test_only_passing_errors_say_when_to_come_back() -> None:
    for kind in ERRORS:
        assert (kind.retry_after is not None) is (kind.status in {429, 503}), kind


def test_sentence_can_be_given_where_it_is_raised() -> None:
    error = builds.errors.SlugTaken("That one is taken.")
    assert (error.message, str(error)) == ("That one is taken.", "That one is taken.")
    assert builds.errors.SlugTaken.message != error.message
