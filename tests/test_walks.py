"""The walks and floors of docs/explanation/architecture.rst are those of the source."""

import re
from itertools import groupby

import pytest

from docs.pictures import ROOT, WALKS, definition, floors, used_by, walk

MOST_FILES = 5
PAGE = (ROOT / "docs" / "explanation" / "architecture.rst").read_text(encoding="utf-8")
PICTURE = (ROOT / "docs" / "_static" / "issuing.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", WALKS)
def test_each_step_of_a_walk_exists_and_is_used_by_one_before_it(name: str) -> None:
    steps = walk(name)
    assert all(definition(step) for step in steps)
    for count, step in enumerate(steps[1:], start=1):
        assert any(step in used_by(earlier) for earlier in steps[:count]), step


def test_walks_pass_few_files_and_never_come_back() -> None:
    for name in WALKS:
        passed = [path for path, _ in groupby(step.path for step in walk(name))]
        assert len(passed) == len(set(passed)) <= MOST_FILES, name


def test_each_walk_and_the_floors_are_drawn() -> None:
    assert ".. floors::" in PAGE
    assert re.findall(r"^\.\. walk:: (.*)$", PAGE, re.MULTILINE) == list(WALKS)


def test_each_room_has_a_row_in_the_order_of_the_floors() -> None:
    rows = re.findall(r"^   \* - ``([\w/.]+)``$", PAGE, re.MULTILINE)
    assert rows[: rows.index("tests/")] == [folder for floor in floors() for folder in floor]


def test_every_file_that_the_page_names_exists() -> None:
    named = re.findall(r"``((?:\w+/)+[\w.]*)``", PAGE) + re.findall(
        r">((?:\w+/)+\w+\.py)<", PICTURE
    )
    folders = [folder for folder in ROOT.iterdir() if folder.is_dir() and folder.name[0] != "."]
    files = [str(path) for folder in folders for path in [folder, *folder.rglob("*")]]
    there = {f"{path}/" for path in files} | set(files)
    assert [name for name in named if not any(each.endswith(f"/{name}") for each in there)] == []
