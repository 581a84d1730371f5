"""What `make mutants` rests on, looked at in every run of the suite: nothing is left out unsaid."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proof.bugs.bug import Bug
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
from tests.proof.putting_back import Judge
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


def test_pure_module_has_a_test_file_to_judge_its_mutants() -> None:
    mutated = [module for module in pure_modules() if is_mutated(module)]
    judged = [each for each in mutated if has_functions(path_of(each))]
    assert [each for each in judged if not (ROOT / judge_of(each)).exists()] == []


def test_exception_is_one_of_a_pure_module_and_has_a_reason() -> None:
    modules = [f"{module}." for module in pure_modules()]
    known = {name for name in NOT_MUTATED if any(each.startswith(name) for each in modules)}
    assert known == {name for name, reason in NOT_MUTATED.items() if reason}


def test_judges_exist() -> None:
    named = {judge for bug in NAMED_BUGS.values() for judge in bug.judges}
    for judge in [*judges(), *named]:
        path, _, test = judge.partition("::")
        files = [ROOT / path] if path.endswith(".py") else (ROOT / path).glob("test_*.py")
        texts = [file.read_text(encoding="utf-8") for file in files]
        assert any(f"def {test}" in text for text in texts), judge


def can_be_put_back(bug: Bug) -> bool:
    text = (ROOT / bug.path).read_text(encoding="utf-8") if (ROOT / bug.path).exists() else ""
    return text.count(bug.old) == 1 and bool(ast.parse(text.replace(bug.old, bug.new)))


def test_named_bugs_can_be_put_back() -> None:
    """Their text is found exactly once: after a change here, tests/proof/bugs has to follow."""
    assert [name for name, bug in NAMED_BUGS.items() if not can_be_put_back(bug)] == []


@pytest.mark.slow
def test_judge_reads_each_edit_and_its_end_as_they_are() -> None:
    bug = NAMED_BUGS["shorter than STS takes"]
    assert len(bug.old) == len(bug.new)
    with Judge() as judge:
        outcomes = [
            (judge.verdict("none", bug.judges).outcome, judge.verdict_on("it", bug).outcome)
            for _ in range(2)
        ]
    assert outcomes == [("SURVIVED", "killed")] * 2


def test_no_two_bugs_share_a_name() -> None:
    assert len(NAMED_BUGS) == sum(map(len, FAMILIES))


def test_threats_are_put_back_by_bugs_that_exist() -> None:
    assert all(THREATS.values())
    assert {bug for bugs in THREATS.values() for bug in bugs} - set(NAMED_BUGS) == set()


def test_survivors_are_of_mutated_functions() -> None:
    modules = {function.rpartition(".x")[0] for function, _ in SURVIVORS}
    assert all(is_mutated(module) and Path(ROOT / path_of(module)).exists() for module in modules)
