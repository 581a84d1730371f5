"""The texts that people read are free of the habits in docs/words.txt."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

HABITS = [
    line.rsplit(" -> ", 1)
    for line in (ROOT / "docs" / "words.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
PAGES = [*ROOT.glob("docs/**/*.rst"), *ROOT.glob("*.md"), ROOT / "client" / "README.md"]
SOURCES = [
    path
    for folder in ("builds", "credentials", "ltdkeeper", "client")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
]


def texts() -> Iterator[tuple[str, str]]:
    """Pages as paragraphs; of a source each sentence: help, messages and docstrings."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for paragraph in re.sub(r"``.+?``|`[^`]+`", "", text, flags=re.DOTALL).split("\n\n"):
            yield page.relative_to(ROOT).as_posix(), " ".join(paragraph.split())
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                text = re.sub(r"`[^`]+`", "", node.value)
                yield f"{path.relative_to(ROOT).as_posix()}:{node.lineno}", " ".join(text.split())


def test_no_text_has_a_habit() -> None:
    habits = [(re.compile(pattern, re.IGNORECASE), better) for pattern, better in HABITS]
    found = [
        f"{place}: {text[max(0, m.start() - 40) : m.end() + 40]} -> {better}"
        for place, text in texts()
        for habit, better in habits
        for m in habit.finditer(text)
    ]
    assert found == []
