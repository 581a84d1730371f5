"""What `make mutants` rests on, looked at in every run of the suite: nothing is left out unsaid."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proof.mutation import Mutant
from tests.proof.named_bugs import FAMILIES, NAMED_BUGS, THREATS
from tests.proof.pure import (
    CLAIM,
    NOT_MUTATED,
    has_functions,
    is_mutated,
    judge_of,
    judges,
    path_of,
    pure_modules,
)
from tests.proof.survivors import SURVIVORS
from tests.proof.tree import ROOT

PACKAGES = ("builds", "credentials", "ltdkeeper")


def claiming() -> Iterator[str]:
    """The modules whose docstring says that they are pure."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            if CLAIM.search(docstring):
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_every_module_that_says_it_is_pure_is_in_the_contract() -> None:
    assert set(claiming()) - set(pure_modules()) == set()


@pytest.mark.parametrize("module", [each for each in pure_modules() if is_mutated(each)])
def test_pure_module_has_a_test_file_to_judge_its_mutants(module: str) -> None:
    assert (ROOT / judge_of(module)).exists() or not has_functions(path_of(module))


@pytest.mark.parametrize("name", NOT_MUTATED)
def test_exception_is_one_of_a_pure_module_and_has_a_reason(name: str) -> None:
    assert any(f"{module}.".startswith(name) for module in pure_modules())
    assert NOT_MUTATED[name]


def test_judges_exist() -> None:
    named = {judge for bug in NAMED_BUGS.values() for judge in bug.judges}
    for judge in [*judges(), *named]:
        path, _, test = judge.partition("::")
        files = [ROOT / path] if path.endswith(".py") else (ROOT / path).glob("test_*.py")
        texts = [file.read_text(encoding="utf-8") for file in files]
        assert any(f"def {test}" in text for text in texts), judge


@pytest.mark.parametrize("name", NAMED_BUGS)
def test_named_bug_can_be_put_back(name: str) -> None:
    """Its text is found exactly once: after a change here, tests/proof/bugs has to follow."""
    bug = NAMED_BUGS[name]
    text = (ROOT / bug.path).read_text(encoding="utf-8")
    assert text.count(bug.old) == 1
    ast.parse(text.replace(bug.old, bug.new))


def test_no_two_bugs_share_a_name() -> None:
    assert len(NAMED_BUGS) == sum(map(len, FAMILIES))


@pytest.mark.parametrize("threat", THREATS)
def test_threat_is_put_back_by_bugs_that_exist(threat: str) -> None:
    assert THREATS[threat]
    assert set(THREATS[threat]) - set(NAMED_BUGS) == set()


def test_survivors_are_of_mutated_functions() -> None:
    modules = {function.rpartition(".x")[0] for function, _ in SURVIVORS}
    assert all(is_mutated(module) and Path(ROOT / path_of(module)).exists() for module in modules)


@pytest.mark.parametrize("outcome", ["survived", "no test", "code -9", "not judged"])
def test_mutant_counts_as_killed_only_when_it_was(outcome: str) -> None:
    assert not Mutant(function="f", outcome=outcome).is_killed
    assert Mutant(function="f", outcome="killed").is_killed
