"""Two independent evaluators on the same random cases: where they differ is known and explained."""

import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from random import Random

import pytest

from tests.credentials.evaluator import allows
from tests.proof.disagreements import DIFFERENCES, explained_by
from tests.proof.evaluators import Evaluator, Question
from tests.proof.random_cases import cases

# Another seed gives other cases; the same one the same.
SEED = int(os.environ.get("PROOF_SEED", "20261123"))
COUNT = 6000


def seeded_cases() -> Iterator[Question]:
    return cases(Random(SEED), COUNT)  # noqa: S311


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return list(seeded_cases())


@pytest.fixture(scope="module")
def opinions(
    questions: list[Question], evaluator: Evaluator, simulator: Evaluator
) -> list[tuple[bool | str, bool | str]]:
    chunks = iter(questions)
    found: list[tuple[bool | str, bool | str]] = []
    while chunk := list(islice(chunks, 200)):
        found += zip(evaluator.answers(chunk), simulator.answers(chunk), strict=True)
    return found


def test_cases_are_allowed_and_refused_often(
    opinions: list[tuple[bool | str, bool | str]],
) -> None:
    counted = Counter(ours for ours, _ in opinions)
    assert min(counted[True], counted[False]) > COUNT // 10


def test_every_question_is_valid_but_those_for_no_key(
    questions: list[Question], opinions: list[tuple[bool | str, bool | str]]
) -> None:
    paired = zip(questions, opinions, strict=True)
    invalid = [question for question, (_, answer) in paired if isinstance(answer, str)]
    assert {explained_by(each) for each in invalid} == {"object without a key"}


def test_every_disagreement_is_explained(
    questions: list[Question], opinions: list[tuple[bool | str, bool | str]]
) -> None:
    paired = zip(questions, opinions, strict=True)
    differing = [question for question, (one, other) in paired if one is not other]
    assert [each for each in differing if explained_by(each) is None] == []


def test_every_explanation_is_needed(
    questions: list[Question], opinions: list[tuple[bool | str, bool | str]]
) -> None:
    paired = zip(questions, opinions, strict=True)
    counted = Counter(explained_by(each) for each, (one, other) in paired if one is not other)
    assert set(counted) == set(DIFFERENCES), counted


def test_our_own_evaluator_agrees_on_sessions_alone(evaluator: Evaluator) -> None:
    """`tests/credentials/evaluator.py` against the store's, where the policy is ours."""
    everything = (
        '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
    )
    asked = [
        Question(**(vars(each) | {"role": everything, "boundary": ""}))
        for number, each in enumerate(seeded_cases())
        if number % 2 and "\n" not in each.resource + each.context.get("s3:prefix", "")
    ]
    own = [
        allows(each.session, each.action, each.resource, each.context.get("s3:prefix"))
        for each in asked
    ]
    assert len(asked) > COUNT // 3
    assert evaluator.answers(asked) == own
