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
import sysconfig
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import Path

from tests.proof.judge import JUDGING
from tests.proof.pure import has_functions, judges
from tests.proof.tree import ROOT

PYTHON = ROOT / ".venv-proof" / "bin" / "python"
# As mutmut has them (mutmut/stats.py). A crash or a mutant without a test is none.
KILLED = {1, 3}
TIMED_OUT = {24, 36, 152, 255, -24}
HUNG = "hung"
OTHERS = {0: "survived", 5: "no test", 33: "no test"}
PROGRESS = re.compile(r"(\d+)/(\d+)")

Step = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change that mutmut made: in which function, what became of it, and, unless it was
    killed, what mutmut put there.
    """

    name: str
    function: str
    outcome: str
    put: str = ""

    @property
    def is_killed(self) -> bool:
        return self.outcome in {"killed", HUNG}


def run_mutmut(
    tree: Path, modules: list[str], step: Step, *, explained: Container[tuple[str, str]] = ()
) -> list[Mutant]:
    """Mutate pure modules of a copied tree and judge each mutant by the fast tests. Survivors
    that nobody explained are judged once more: a run now and then lets one live that others kill.

    `step` is told how many mutants of how many are done. Raises RuntimeError with the end of
    mutmut's output when it did not get through.
    """
    paths = [path for path in modules if has_functions(path)]
    for path in paths:
        _open_properties(tree / path)
    (tree / "setup.cfg").write_text(_configuration(paths))
    output = _run(tree, step)
    found = [_results(tree, path) for path in paths]
    if not all(found):
        raise RuntimeError(f"mutmut did not get through:\n{output[-4000:]}")
    survivors = [each for mutants in found for each in mutants if not each.is_killed]
    doubted = [each.name for each in survivors if (each.function, each.put) not in explained]
    if doubted:
        _run(tree, step, *doubted)
        found = [_results(tree, path) for path in paths]
    return [mutant for mutants in found for mutant in mutants]


def _run(tree: Path, step: Step, *names: str) -> str:
    command = [str(PYTHON), "-m", "mutmut", "run", *names]
    with subprocess.Popen(
        command, cwd=tree, env=_environment(), text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as running:  # fmt: skip
        lines = []
        for line in running.stdout or ():
            lines.append(line)
            if counted := PROGRESS.search(line):
                step(int(counted[1]), int(counted[2]))
    if running.returncode:
        raise RuntimeError(f"mutmut failed:\n{''.join(lines)[-4000:]}")
    return "".join(lines)


def _configuration(paths: list[str]) -> str:
    """As mutmut reads it when pyproject.toml says nothing about it."""
    lists = {
        "source_paths": ["builds", "credentials", "ltdkeeper"],
        "only_mutate": paths,
        "also_copy": ["demo", "manage.py"],
        "pytest_add_cli_args": JUDGING,
        "pytest_add_cli_args_test_selection": judges(),
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


def _results(tree: Path, path: str) -> list[Mutant]:
    stored = tree / "mutants" / f"{path}.meta"
    codes: dict[str, int | None] = json.loads(stored.read_text())["exit_code_by_key"]
    return [_mutant(tree, name, code) for name, code in codes.items()]


def _mutant(tree: Path, name: str, code: int | None) -> Mutant:
    function = name.partition("__mutmut_")[0]
    if code in KILLED | TIMED_OUT:
        return Mutant(name=name, function=function, outcome="killed" if code in KILLED else HUNG)
    shown = subprocess.run(
        [str(PYTHON), "-m", "mutmut", "show", name],
        cwd=tree, env=_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    put = " ".join(each.strip() for each in re.findall(r"^\+ +(.*)$", shown.stdout, re.MULTILINE))
    outcome = OTHERS.get(code or 0, f"code {code}") if code is not None else "not judged"
    return Mutant(name=name, function=function, outcome=outcome, put=put)
