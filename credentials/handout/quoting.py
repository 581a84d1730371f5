"""Texts as four readers take them literally: a POSIX shell, curl, AWS SDKs, a GitHub runner. Pure.

The values come from settings and names that are checked already. None is trusted here all the
same: what cannot be written is refused, never sent on in another form.
"""

import re
import shlex

_PLAIN = re.compile(r"[A-Za-z0-9._-]+\Z", re.ASCII)


class Unquotable(ValueError):
    """The reader has no way to write this text."""


def shell_word(text: str) -> str:
    """One word of a POSIX shell that expands to exactly the text, newlines included."""
    if "\0" in text:
        raise Unquotable("a shell's words cannot hold NUL")
    return shlex.quote(text)


def single_line(text: str) -> str:
    """The text itself, for readers that take a line as it is; without control characters."""
    if not text.isprintable():
        raise Unquotable("a line cannot hold control characters")
    return text


def curl_value(text: str) -> str:
    """A value of a file for `curl --config`, in double quotes.

    curl reads `\\"` and `\\\\` in them (curl's manual, --config).
    """
    escaped = single_line(text).replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def plain(text: str) -> str:
    """The text itself, for readers that have no quoting: AWS config files."""
    if not _PLAIN.match(text):
        raise Unquotable("only letters, digits, '.', '_' and '-' can be written here")
    return text
