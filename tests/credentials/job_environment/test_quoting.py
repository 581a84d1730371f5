"""Each reader gets exactly the text, or the text is refused."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from credentials.job_environment.variables import (
    Unquotable,
    curl_value,
    plain,
    shell_word,
    single_line,
)
from tests.shells import SHELLS

ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
OFTEN = st.text(st.sampled_from("'\"\\$`!*?[]{}()<>|&;#~%=: \t\n\r-ab"))
SEVERAL = settings(max_examples=25)
CONTROL = ["a\nb", "a\r", "\x1b[0m", "\x7f", "a\tb", "\u2028", "\x85"]


@pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
@SEVERAL
@given(texts=st.lists(ANY_TEXT | OFTEN, max_size=8))
@example(texts=["=ls", "= a", ""])
def test_shell_reads_the_very_text(shell: list[str], texts: list[str], tmp_path: Path) -> None:
    words = "".join(f"x={shell_word(text)}; printf '%s\\000' \"$x\"\n" for text in texts)
    (tmp_path / "lines").write_bytes(words.encode())
    command = [*shell, "-c", 'eval "$(cat lines)"']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == texts
    assert done.stderr == b""


def test_shell_cannot_read_nul() -> None:
    with pytest.raises(Unquotable):
        shell_word("a\0b")


def test_control_characters_are_refused() -> None:
    for text in CONTROL:
        for quote in (single_line, curl_value, plain):
            with pytest.raises(Unquotable):
                quote(text)


def test_config_files_take_plain_words_only() -> None:
    for text in ["", "a b", "a$b", "`a`", "é", "a/b", "a\n", 'a"', "a;b", "a#b"]:
        with pytest.raises(Unquotable):
            plain(text)


def test_plain_word_stays() -> None:
    assert plain("eu-central-1_x.Y") == "eu-central-1_x.Y"
