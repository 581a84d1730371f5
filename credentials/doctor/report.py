"""How an examination is told: a table for people, one document for machines. Pure."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from credentials.doctor.findings import Result, Severity, Verdict, count

WIDTH = 96
INDENT = 4
MARGIN = " " * 2 * INDENT
COMMANDS = ("aws ", "manage.py ")
MARKS = {Verdict.WARNING: "WARNING", Verdict.ERROR: "ERROR"}


def result_lines(result: Result) -> Iterator[str]:
    """A line for the check, and what was found below it. A change is told once."""
    mark = MARKS.get(result.verdict, result.verdict.value)
    yield f"{mark:<14} {result.check:<19} {result.title}"
    if result.note:
        yield from _wrapped(f"({result.note})", first=" " * 35)
    told = ""
    for finding in result.findings:
        yield f"{' ' * INDENT}{finding.severity.value} {finding.id}"
        yield from _wrapped(finding.what, first=MARGIN)
        yield from _wrapped(f"Why: {finding.why}", first=MARGIN)
        yield from _change_lines("The same." if finding.change == told else finding.change)
        told = finding.change


def summary_line(results: Sequence[Result]) -> str:
    """One sentence on a store."""
    errors, warnings = count(results, Severity.ERROR), count(results, Severity.WARNING)
    if not errors and not warnings:
        return "Nothing to mend."
    return f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}."


def document(stores: Mapping[str, Sequence[Result]], **error: str) -> str:
    """One object: counts, and for every store its checks with their findings. With `error`, the
    last store may lack some.
    """
    everything = [result for results in stores.values() for result in results]
    told: dict[str, Any] = {
        "errors": count(everything, Severity.ERROR),
        "warnings": count(everything, Severity.WARNING),
        "stores": [{"store": name, "checks": results} for name, results in stores.items()],
        **error,
    }
    return orjson.dumps(told, option=orjson.OPT_INDENT_2).decode()


def _change_lines(change: str) -> Iterator[str]:
    lines = change.split("\n")
    if lines[0].startswith(COMMANDS):
        lines.insert(0, "")
    lines[0] = f"Change: {lines[0]}".rstrip()
    for line in lines:
        is_command = line.startswith(COMMANDS)
        yield from _command_lines(line) if is_command else _wrapped(line, first=MARGIN)


def _wrapped(text: str, *, first: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=first,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _command_lines(command: str) -> Iterator[str]:
    """A command over several lines, which a shell still reads as one."""
    margin = " " * 3 * INDENT
    lines = textwrap.wrap(
        command,
        WIDTH - len(margin) - 2,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    for number, line in enumerate(lines, 1):
        end = " \\" if number < len(lines) else ""
        yield from _quoted_lines(f"{margin}{line}{end}")


def _quoted_lines(line: str) -> Iterator[str]:
    """A long quoted word, broken at its commas into several that touch: these are one word."""
    while len(line) > WIDTH and (end := line.rfind(",", 0, WIDTH - 2)) > line.find("'") >= 0:
        yield f"{line[: end + 1]}'\\"
        line = f"'{line[end + 1 :]}"
    yield line


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
