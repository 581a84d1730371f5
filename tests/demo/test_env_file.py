"""`.demo/env` is the owner's alone, and a shell reads exactly what was written."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from demo.env_file import written_env_file

HARD_VALUES = {
    "spaces": "a b  c",
    "quotes": 'it\'s "so"',
    "expansion": "$HOME ${HOME} $(touch hacked) `touch hacked`",
    "separators": "a;touch hacked&|<>#!*?~\\",
    "newline": "one\ntwo\n",
    "unicode": "schlüssel",
    "like an option": "-n",
}


@pytest.mark.parametrize("value", HARD_VALUES.values(), ids=HARD_VALUES.keys())
def test_shell_reads_what_was_written(tmp_path: Path, value: str) -> None:
    with written_env_file(tmp_path / "env", {"LTD_PASSWORD": value}):
        script = ["sh", "-c", ". ./env && env -0"]
        read = subprocess.run(script, cwd=tmp_path, capture_output=True, check=True).stdout
        assert f"LTD_PASSWORD={value}".encode() in read.split(b"\0")
        assert [path.name for path in tmp_path.iterdir()] == ["env"]


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    older = os.umask(0)
    try:
        with written_env_file(tmp_path / "env", {"LTD_PASSWORD": "x"}):
            assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600
    finally:
        os.umask(older)


def test_wide_older_file_is_replaced_not_reused(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("older")
    path.chmod(0o644)
    with path.open() as held_open, written_env_file(path, {"LTD_PASSWORD": "x"}):
        assert held_open.read() == "older"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_gone_when_it_is_of_no_use(tmp_path: Path) -> None:
    with written_env_file(tmp_path / "env", {"LTD_PASSWORD": "x"}):
        pass
    assert list(tmp_path.iterdir()) == []


def test_empty_values_are_left_out(tmp_path: Path) -> None:
    with written_env_file(tmp_path / "env", {"AWS_ENDPOINT_URL": "", "S3_BUCKET": "docs"}):
        assert (tmp_path / "env").read_text() == "export S3_BUCKET=docs\n"
