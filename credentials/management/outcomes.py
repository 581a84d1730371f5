"""How the service's commands end, and how they report many builds: line by line, then figures."""

import argparse
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, NoReturn

import orjson
from django.core.management.base import BaseCommand, CommandError, OutputWrapper, SystemCheckError
from django.db import DatabaseError, InterfaceError
from tqdm import tqdm

from credentials.closed_builds.walking import Outcome
from ltdkeeper.databases import trouble_with

MOST_DIGITS = 12


class ExitCode(IntEnum):
    """What a command's exit code says: cron jobs and monitoring rely on it."""

    NOTHING_FOUND = 0
    FINDINGS = 1
    WRONG_ARGUMENTS = 2
    NOT_MADE = 3
    ALREADY_RUNNING = 4


def wrong_argument(message: str) -> CommandError:
    """To raise when an argument has a value that cannot be meant."""
    return CommandError(message, returncode=ExitCode.WRONG_ARGUMENTS)


def not_made(message: str) -> CommandError:
    """To raise when the command could not do its work."""
    return CommandError(message, returncode=ExitCode.NOT_MADE)


def end(code: ExitCode) -> None:
    """Leave with that exit code when it says something."""
    if code is not ExitCode.NOTHING_FOUND:
        sys.exit(code)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """For `add_argument(type=...)`: an integer within limits."""

    def read(text: str) -> int:
        is_number = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
        if is_number and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}.")

    return read


class ServiceCommand(BaseCommand):
    """A command of this service. Its exit code is an `ExitCode`, whatever ends it."""

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            super().run_from_argv(argv)
        except Exception:  # noqa: BLE001 - Python's own exit code for it would mean a finding
            traceback.print_exc()
            sys.exit(ExitCode.NOT_MADE)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        if not getattr(
            self, "_called_from_command_line", False
        ):  # else argparse exits with 2 by itself
            parser.error = _refuse  # type: ignore[method-assign]
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except SystemCheckError as err:
            err.returncode = ExitCode.NOT_MADE
            raise
        except (DatabaseError, InterfaceError) as err:
            reason = (str(err).splitlines() or [type(err).__name__])[0]
            raise not_made(trouble_with(err) or f"The database failed: {reason}") from err


def _refuse(message: str) -> NoReturn:
    raise wrong_argument(f"Error: {message}")


WHY_LEFT = {
    "root_is_shared": "Another build of an LTD Keeper lies at the same root. The admin's list of "
    "builds has an action that takes this back."
}


@dataclass(kw_only=True)
class Totals:
    """What a run came to."""

    builds: int = 0
    objects: int = 0
    bytes: int = 0
    failed: int = 0

    def add(self, outcome: Outcome) -> None:
        self.builds += not outcome.failure and not outcome.left
        self.failed += bool(outcome.failure)
        self.objects += outcome.objects
        self.bytes += outcome.bytes

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.NOT_MADE if self.failed else ExitCode.NOTHING_FOUND


def with_progress(outcomes: Iterable[Outcome], total: int) -> Iterator[Outcome]:
    """The same, with a bar on a terminal: `disable=None` is tqdm's word for nowhere else."""
    yield from tqdm(outcomes, total=total, unit="build", disable=None)


def tell(outcomes: Iterable[Outcome], out: OutputWrapper, *, is_json: bool) -> Totals:
    """Write failures as they come, in memory that does not grow with them; JSON has it all."""
    totals = Totals()
    if is_json:
        out.write('{"builds": [', ending="")
    for number, outcome in enumerate(outcomes):
        if is_json:
            separator = "," if number else ""
            out.write(f"{separator}\n  {orjson.dumps(asdict(outcome)).decode()}", ending="")
        elif outcome.failure:
            out.write(f"{outcome.root}: {outcome.failure}")
        elif outcome.left:
            out.write(f"{outcome.root}: left, {outcome.left}. {WHY_LEFT[outcome.left]}")
        totals.add(outcome)
    if is_json:
        out.write(f'\n], "totals": {orjson.dumps(asdict(totals)).decode()}}}')
    return totals
