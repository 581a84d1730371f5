"""docs/reference/programs.rst and the suite of real programs say the same."""

import re
from collections.abc import Iterable
from pathlib import Path

from tests.clients.matrix import read_matrix
from tests.clients.programs import FOLDER, REQUIREMENTS
from tests.clients.test_other_programs import WAYS

ROWS = list(read_matrix().values())
WAY = re.compile(r'mark\.way\("([^"]+)"\)')
DEBIANS = ("awscli 2.9.19", "rclone 1.60.1", "s3cmd 2.3.0", "ruby-aws-sdk-s3 1.117.2")
NOT_PINNED = ("curl", *DEBIANS)


def text_of(paths: Iterable[Path]) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(paths))


def test_every_row_is_backed_by_a_test_and_every_test_by_a_row() -> None:
    assert ROWS
    backed = {*WAY.findall(text_of(FOLDER.glob("test_*.py"))), *WAYS}
    assert backed == {row.way for row in ROWS}


def test_versions_are_those_that_are_installed() -> None:
    pins = text_of(REQUIREMENTS.glob("*.txt"))
    named = {row.version for row in ROWS} - set(NOT_PINNED)
    assert [each for each in named if f"\n{each.replace(' ', '==')}" not in pins] == []


def test_cells_say_what_the_suite_understands() -> None:
    for row in ROWS:
        assert row.stores in {"both", "embedded", "Ceph"}
        assert row.access in {"upload", "sync"}
        calls, deliveries, sessions = row.promised
        assert calls >= 0
        assert 0 <= sessions <= len(deliveries)


def test_every_environment_is_used() -> None:
    tests = text_of(FOLDER.glob("*.py"))
    programs = {path.stem for path in REQUIREMENTS.glob("*.txt")}
    assert {name for name in programs if f'"{name}"' not in tests} == set()
