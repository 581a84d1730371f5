"""Runs mutmut over the pure modules, in a copy of the tree.

mutmut leaves decorated functions alone, so in the copy `@property` becomes a plain call of
`property` after the function. It leaves module constants alone too: those are among the named
bugs (`tests/proof/named_bugs.py`).
"""

import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from tests.proof.tree import ROOT

PYTHON = ROOT / ".venv-proof" / "bin" / "python"
PURE = (
    "builds/slugs.py",
    "builds/arns.py",
    "credentials/policy.py",
    "credentials/durations.py",
    "credentials/secret.py",
    "credentials/cooldown.py",
    "credentials/identities.py",
    "credentials/access/tokens.py",
    "credentials/audit/rules.py",
    "credentials/isolation/verdicts.py",
)
JUDGES = (
    "tests/builds/test_slugs.py",
    "tests/builds/test_arns.py",
    "tests/credentials/test_policy.py",
    "tests/credentials/test_policy_length.py",
    "tests/credentials/test_durations.py",
    "tests/credentials/test_secret.py",
    "tests/credentials/test_cooldown.py",
    "tests/credentials/test_identities.py",
    "tests/credentials/access/test_tokens.py",
    "tests/credentials/audit/test_rules.py",
    "tests/credentials/isolation/test_verdicts.py",
    "tests/proof/test_details.py",
)
# The same examples for every mutant, and none written down.
JUDGING = ("-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-seed=0")

KILLED = {1, 3}
TIMED_OUT = {24, 36, 152, 255, -24, -9}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change that mutmut made: in which function, and, of a survivor, what it put there."""

    function: str
    is_killed: bool
    put: str = ""


def run_mutmut(tree: Path) -> list[Mutant]:
    """Mutate the pure modules of a copied tree and judge each mutant by the fast tests."""
    for module in PURE:
        _open_properties(tree / module)
    (tree / "setup.cfg").write_text(_configuration())
    log = tree.parent / "mutmut.log"
    with log.open("wb") as output:
        ran = subprocess.run(
            [str(PYTHON), "-m", "mutmut", "run"],
            cwd=tree, env=_environment(), stdout=output, stderr=output, check=False,
        )  # fmt: skip
    found = [mutant for module in PURE for mutant in _results(tree, module)]
    if ran.returncode or not found:
        sys.exit(f"mutmut failed:\n{log.read_text(errors='replace')[-4000:]}")
    return found


def _configuration() -> str:
    """As mutmut reads it when pyproject.toml says nothing about it."""
    lists = {
        "source_paths": ("builds", "credentials"),
        "only_mutate": PURE,
        "also_copy": ("demo", "ltdkeeper", "manage.py"),
        "pytest_add_cli_args": JUDGING,
        "pytest_add_cli_args_test_selection": JUDGES,
    }
    lines = [f"{name}=\n    " + "\n    ".join(values) for name, values in lists.items()]
    return "\n".join(["[mutmut]", *lines, "use_git_change_detection=false", ""])


def _environment() -> dict[str, str]:
    """mutmut runs the tests in its own process, so it needs the packages of this one."""
    return os.environ | {"PYTHONPATH": sysconfig.get_paths()["purelib"]}


def _open_properties(module: Path) -> None:
    """Make properties visible to mutmut: `name = property(name)` in place of the decorator."""
    lines = module.read_text().splitlines()
    properties = [
        node
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.FunctionDef)
        and [ast.unparse(each) for each in node.decorator_list] == ["property"]
    ]
    for node in sorted(properties, key=lambda each: -each.lineno):
        indent = " " * node.col_offset
        lines.insert(node.end_lineno or node.lineno, f"{indent}{node.name} = property({node.name})")
        del lines[node.decorator_list[0].lineno - 1]
    module.write_text("\n".join(lines) + "\n")


def _results(tree: Path, module: str) -> list[Mutant]:
    path = tree / "mutants" / f"{module}.meta"
    if not path.exists():
        return []
    codes: dict[str, int | None] = json.loads(path.read_text())["exit_code_by_key"]
    return [_mutant(tree, name, code) for name, code in codes.items()]


def _mutant(tree: Path, name: str, code: int | None) -> Mutant:
    function = name.partition("__mutmut_")[0]
    if code in KILLED | TIMED_OUT:
        return Mutant(function=function, is_killed=True)
    shown = subprocess.run(
        [str(PYTHON), "-m", "mutmut", "show", name],
        cwd=tree, env=_environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    put = re.findall(r"^\+ +(.*)$", shown.stdout, re.MULTILINE)
    return Mutant(function=function, is_killed=False, put=" ".join(each.strip() for each in put))
