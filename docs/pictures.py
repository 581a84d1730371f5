"""Pictures of the architecture, made from the source: `.. floors::` and `.. walk:: NAME`; and
tables that are computed from measurements: `.. capacity:: plan` and `.. capacity:: checks`.

The floors are import-linter's contract in pyproject.toml. The walks are in walks.toml; what a step
does is the first sentence of its docstring. Both are lists of boxes that pages.css draws.
"""

import ast
import csv
import io
import runpy
import tomllib
from collections.abc import Iterator
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.parsers.rst.directives.tables import CSVTable

ROOT = Path(__file__).resolve().parent.parent
WALKS: dict[str, list[str]] = tomllib.loads((ROOT / "docs/walks.toml").read_text(encoding="utf-8"))


class Step(NamedTuple):
    """A function, method, class or table of a file: `credentials/vending/sts.py assume_role`."""

    path: str
    name: str


def walk(name: str) -> list[Step]:
    """The steps of a walk, in the order of reading."""
    return [Step(*line.split()) for line in WALKS[name]]


def floors() -> list[list[str]]:
    """The folders of each floor, and a file that is one, from the top of the house."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if each["type"] == "layers"]
    return [[_path_of(name.strip()) for name in layer.split(":")] for layer in layers]


def _path_of(module: str) -> str:
    path = module.replace(".", "/")
    return f"{path}.py" if (ROOT / f"{path}.py").exists() else f"{path}/"


def floor_of(path: str) -> int:
    """The floor that a file is on, counted from the ground."""
    for number, folders in enumerate(reversed(floors())):
        if path.startswith(tuple(folders)):
            return number
    raise LookupError(f"{path} is on no floor")


@cache
def parse(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def definition(step: Step) -> ast.stmt:
    """Where a step is defined. Raises LookupError."""
    body = parse(step.path).body
    for name in step.name.split("."):
        found = [node for node in body if name in _names(node)]
        if not found:
            raise LookupError(f"{step.path} has no {step.name}")
        body = getattr(found[0], "body", [])
    return found[0]


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return [target.id for target in targets if isinstance(target, ast.Name)]


def used_by(step: Step) -> Iterator[Step]:
    """What a step names of its own file, and of others by importing it."""
    imported = {
        alias.asname or alias.name: _source(f"{node.module}", alias.name)
        for node in parse(step.path).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(definition(step)):
        if isinstance(node, ast.Name):
            yield imported.get(node.id, Step(step.path, node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = step.name.split(".")[0] if node.value.id == "self" else node.value.id
            yield Step(step.path, f"{owner}.{node.attr}")


def _source(module: str, name: str) -> Step:
    """Where an imported name comes from: a package may hand on what one of its modules has."""
    folder = module.replace(".", "/")
    if not (ROOT / folder / "__init__.py").exists():
        return Step(f"{folder}.py", name)
    for node in parse(f"{folder}/__init__.py").body:
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            return _source(f"{node.module}", name)
    return Step(f"{folder}/__init__.py", name)


def first_sentence(step: Step) -> str:
    """Of its docstring; empty where it has none."""
    node: Any = definition(step)
    is_documented = isinstance(node, ast.FunctionDef | ast.ClassDef)
    text = " ".join(((ast.get_docstring(node) if is_documented else "") or "").split())
    return text.partition(". ")[0].rstrip(".:").replace("`", "")


class Floors(Directive):
    """The floors, one above the other."""

    def run(self) -> list[nodes.Node]:
        rows = [
            f'<li class="floor-{floor_of(folders[0])}">'
            + "".join(f"<code>{escape(folder)}</code>" for folder in folders)
            + "</li>"
            for folders in floors()
        ]
        return [nodes.raw("", f'<ol class="floors">{"".join(rows)}</ol>', format="html")]


class Walk(Directive):
    """A walk: a box for each file, in it what is read there, below the file that leads to it."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        steps = walk(self.arguments[0])
        boxes = [
            f'<li class="floor-{floor_of(path)}" style="--depth: {depth(path, steps)}">'
            f"<code>{escape(path)}</code><ul>{''.join(map(_item, read))}</ul></li>"
            for path, read in groupby(steps, key=lambda step: step.path)
        ]
        return [nodes.raw("", f'<ol class="walk">{"".join(boxes)}</ol>', format="html")]


def depth(path: str, steps: list[Step]) -> int:
    """How many files lead to one of a walk."""
    first = next(step for step in steps if step.path == path)
    earlier = steps[: steps.index(first)]
    leading = [step for step in earlier if first in used_by(step)]
    return 1 + depth(leading[-1].path, steps) if leading else 0


def _item(step: Step) -> str:
    return f"<li><b>{escape(step.name)}</b> {escape(first_sentence(step))}</li>"


class Capacity(CSVTable):
    """A table of tests/bench/capacity.py."""

    def run(self) -> list[nodes.Node]:
        capacity = runpy.run_path(str(ROOT / "tests/bench/capacity.py"))
        self.rows = capacity[self.arguments.pop()]()
        self.options |= {"header-rows": 1, "class": ["stack"]}
        return list(super().run())

    def get_csv_data(self) -> tuple[list[str], str]:
        csv.writer(file := io.StringIO()).writerows(self.rows)
        return file.getvalue().splitlines(), "tests/bench/capacity.py"


def setup(app: Any) -> dict[str, bool]:
    app.add_directive("floors", Floors)
    app.add_directive("walk", Walk)
    app.add_directive("capacity", Capacity)
    # The source is not among the files whose changes Sphinx looks for.
    app.connect("env-get-outdated", lambda *_: ["explanation/architecture", "how-to/capacity"])
    return {"parallel_read_safe": True}
