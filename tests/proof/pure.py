"""Which modules are pure, which of them are mutated, and which tests judge the mutants.

The list is import-linter's contract in pyproject.toml, so that a module that joins one of its
rooms is mutated from then on, judged by the test file or the folder of tests that mirrors it.
"""

import ast
import re
import tomllib
from pathlib import Path

from tests.proof.tree import ROOT

CONTRACT = "Pure rooms import neither Django, nor REST framework, nor boto3"
# "Pure but for ..." makes no such promise.
CLAIM = re.compile(r"\bPure\b(?! but)")

# module, or package with a dot behind it -> why its mutants are not made
NOT_MUTATED = {
    "builds.errors": "sentences for callers, whose codes and statuses tests/ltdkeeper pins",
    "credentials.errors": "the same",
    "credentials.job_environment.": "judged by the shells and programs that read what it writes, "
    "started for each case: some of its bugs are among the named ones instead",
}
# Tests beside the mirroring ones.
MORE_JUDGES = ("tests/credentials/rules/test_policy_length.py", "tests/proof/test_details.py")


def pure_modules() -> list[str]:
    """Those of the contract: its modules, and all that lie in its rooms."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    [modules] = [each["source_modules"] for each in contracts if each["name"] == CONTRACT]
    return [found for module in modules for found in _modules_of(module)]


def _modules_of(module: str) -> list[str]:
    if (ROOT / path_of(module)).exists():
        return [module]
    room = ROOT / module.replace(".", "/")
    return [f"{module}.{path.stem}" for path in sorted(room.glob("[!_]*.py"))]


def is_mutated(module: str) -> bool:
    return not any(f"{module}.".startswith(f"{name.rstrip('.')}.") for name in NOT_MUTATED)


def path_of(module: str) -> str:
    """From the top of the tree, as mutmut names it."""
    return f"{module.replace('.', '/')}.py"


def judge_of(module: str) -> str:
    """The test file, or else the folder of tests, that mirrors a module."""
    path = Path(path_of(module))
    folder = Path("tests") / path.with_suffix("")
    return str(folder if (ROOT / folder).is_dir() else folder.with_name(f"test_{path.name}"))


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
