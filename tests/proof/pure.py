"""Which modules are pure, which of them are mutated, and which tests judge the mutants.

The list is import-linter's contract in pyproject.toml, so that a module that joins it is mutated
from then on, judged by the test file that mirrors it.
"""

import ast
import re
import tomllib
from pathlib import Path

from tests.proof.tree import ROOT

CONTRACT = "Pure modules import neither Django, nor REST framework, nor boto3"
# "Pure but for ..." makes no such promise.
CLAIM = re.compile(r"\bPure\b(?! but)")

# module, or package with a dot behind it -> why its mutants are not made
NOT_MUTATED = {
    "credentials.vending.memory": "threads that wait for each other in real time: its mutants "
    "hang rather than fail, and each takes long to do so",
    "credentials.handout.": "judged by the shells and programs that read what it writes, started "
    "for each case: some of its bugs are among the named ones instead",
    "credentials.doctor.": "finds what is wrong in an account and grants nothing: each finding has "
    "a planted fault and a healthy account in tests/credentials/doctor, on a started store",
}
# Tests beside the mirroring ones.
MORE_JUDGES = ("tests/credentials/rules/test_policy_length.py", "tests/proof/test_details.py")


def pure_modules() -> list[str]:
    """Those of the contract, in its order."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    [modules] = [each["source_modules"] for each in contracts if each["name"] == CONTRACT]
    return list(modules)


def is_mutated(module: str) -> bool:
    return not any(f"{module}.".startswith(f"{name.rstrip('.')}.") for name in NOT_MUTATED)


def path_of(module: str) -> str:
    """From the top of the tree, as mutmut names it."""
    return f"{module.replace('.', '/')}.py"


def judge_of(module: str) -> str:
    """The test file that mirrors a module."""
    path = Path(path_of(module))
    return str(Path("tests") / path.parent / f"test_{path.name}")


def has_functions(path: str) -> bool:
    """Whether there is anything to mutate: modules of plain names and classes hold none."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) for node in ast.walk(tree))


def mutated_paths() -> list[str]:
    return [path_of(module) for module in pure_modules() if is_mutated(module)]


def judges() -> list[str]:
    """The test files that judge mutants."""
    mirrored = [judge_of(module) for module in pure_modules() if is_mutated(module)]
    return [*(path for path in mirrored if (ROOT / path).exists()), *MORE_JUDGES]
