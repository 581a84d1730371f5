"""How the service's commands end, and how they report many builds: line by line, then totals."""

import argparse
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, NoReturn

import boto3
import orjson
from botocore.exceptions import BotoCoreError, ProfileNotFound
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, OutputWrapper, SystemCheckError
from django.db import DatabaseError, InterfaceError
from tqdm import tqdm

from builds.errors import DomainError
from builds.models import Store
from builds.names import escape_controls
from credentials.errors import AlreadyRunning, SessionsAlive
from credentials.operations.closed_builds import Outcome
from credentials.rules.durations import YEARS
from credentials.vending.finishing import Types
from credentials.vending.store_errors import loggable
from ltdkeeper.databases import trouble_with

MOST_DIGITS = 12
MOST_DAYS = 36_500
NO_STORE = "There is no such store. The admin lists them."
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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


def days(least: int) -> Callable[[str], timedelta]:
    """For `add_argument(type=...)`: an age in days, written as `400d`."""
    read = whole_number(least, MOST_DAYS)
    return lambda text: timedelta(days=read(text.removesuffix("d")))


def utc_time(text: str) -> datetime:
    """For `add_argument(type=...)`: a time, in UTC unless it says otherwise."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as err:
        message = f"{text!r} is not a time such as 2026-10-31T12:00Z."
        raise argparse.ArgumentTypeError(message) from err
    if found.year not in YEARS:
        message = f"{text!r} is not a time from the years {YEARS[0]} to {YEARS[-1]}."
        raise argparse.ArgumentTypeError(message)
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def add_profile_argument(parser: argparse.ArgumentParser) -> None:
    """For commands that look with the auditor's credentials: see `profile_session`."""
    parser.add_argument(
        "--profile",
        default=settings.LTD_AUDITOR_PROFILE,
        help="the auditor's AWS profile; default: LTD_AUDITOR_PROFILE",
    )


def add_revoker_argument(parser: argparse.ArgumentParser) -> None:
    """For commands that write with the revoker's credentials: see `profile_session`."""
    parser.add_argument(
        "--profile",
        default=settings.LTD_REVOKER_PROFILE,
        help="the revoker's AWS profile, or your own; default: LTD_REVOKER_PROFILE",
    )


def profile_session(profile: str) -> boto3.session.Session | None:
    """The credentials of a profile; None when none is named."""
    try:
        return boto3.session.Session(profile_name=profile) if profile else None
    except BotoCoreError as err:
        raise wrong_argument(str(err)) from err


def auditor_session(profile: str) -> boto3.session.Session:
    """The auditor's credentials, for commands that do nothing without them."""
    if auditor := profile_session(profile):
        return auditor
    raise wrong_argument("Name the auditor's profile: --profile, or LTD_AUDITOR_PROFILE.")


def stores_named(name: str | None) -> list[Store]:
    """The store of that name, or every one. Raises when there is none."""
    if name:
        return [store_named(name)]
    if found := list(Store.objects.order_by("name")):
        return found
    raise wrong_argument(NO_STORE)


def store_named(name: str) -> Store:
    """Raises when there is none."""
    if store := Store.objects.filter(name=name).first():
        return store
    raise wrong_argument(NO_STORE)


class BrokenOff(KeyboardInterrupt):
    """A signal asked the run to end. No `except Exception` on the way takes it for a failure."""


class SafeOutput(OutputWrapper):
    """Standard output on which nothing that others wrote drives the terminal.

    A signal that comes during a write is heeded after it, so that no line is written in part.
    """

    def write(  # type: ignore[override]
        self,
        msg: str = "",
        style_func: Callable[[str], str] | None = None,
        ending: str | None = None,
    ) -> None:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            super().write(_safe(msg), style_func, ending)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class ServiceCommand(BaseCommand):
    """A command of this service. Its exit code is an `ExitCode`, whatever ends it, and what it
    writes with `--format json` is one document: `error` says why a run broke off.
    """

    is_json = False
    json_option: int | None = None  # of orjson
    has_document = False
    # Those of addresses and templates load every page, which no command needs: 25 MB, 0.3 s.
    requires_system_checks = ("compatibility", "database", "models", "security", "schedule")

    def run_from_argv(self, argv: list[str]) -> None:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                signal.signal(number, _break_off)
        for argument in argv:
            if not _is_utf_8(argument):
                self.stderr.write(f"Error: {_safe(ascii(argument))} is not UTF-8.")
                sys.exit(ExitCode.WRONG_ARGUMENTS)
        try:
            super().run_from_argv(argv)
        except Exception:  # noqa: BLE001 - Python's own exit code for it would mean a finding
            traceback.print_exc()
            sys.exit(ExitCode.NOT_MADE)
        finally:
            _give_up_on_output()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        # From the command line, argparse itself exits with 2.
        if not getattr(self, "_called_from_command_line", False):
            parser.error = _refuse  # type: ignore[method-assign]
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.stdout = SafeOutput(options.pop("stdout", None) or sys.stdout)
        self.is_json = options.get("format") == "json"
        self.has_document = False
        try:
            try:
                return super().execute(*args, **options)
            finally:
                self.stdout.flush()
        except SystemExit:
            raise
        except BaseException as err:
            told = _as_command_error(err)
            if self.is_json and not self.has_document:
                with suppress(OSError):
                    self.write_json({"error": reason_of(err)})
                    self.stdout.flush()
            if told is err:
                raise
            raise told from err

    def answer(self, document: object, *lines: str) -> None:
        """Write the whole document, or in its place the lines for people."""
        if self.is_json:
            self.write_json(document)
        self.say(*lines)

    def say(self, *lines: str) -> None:
        """Write lines for people, all at once, unless a document is asked for."""
        if lines and not self.is_json:
            self.stdout.write("\n".join(lines))

    def write_json(self, document: object) -> None:
        """Write the whole document."""
        text = orjson.dumps(document, option=self.json_option).decode()
        self.has_document = True
        self.stdout.write(text)

    @contextmanager
    def json_at_end(self, render: Callable[..., object]) -> Iterator[None]:
        """With `--format json`, write `render()` at the end of the block, or `render(error=...)`
        when it breaks off.
        """
        if not self.is_json:
            yield
            return
        try:
            yield
            document = render()
        except BaseException as err:
            with suppress(OSError):
                self.write_json(render(error=reason_of(err)))
                self.stdout.flush()
            raise
        self.write_json(document)

    @contextmanager
    def write_list(
        self, name: str, rest: Callable[[], dict[str, Any]]
    ) -> Iterator[Callable[..., None]]:
        """Write a list as it is found, so that memory does not grow with it: what is yielded takes
        an item for JSON, and its lines for people. The document has what `rest` gives at its end.
        """
        if not self.is_json:
            yield self.answer
            return
        separator = ""

        def add(item: object, *_lines: str) -> None:
            nonlocal separator
            self.stdout.write(f"{separator}\n  {orjson.dumps(item).decode()}", ending="")
            separator = ","

        def close(**error: str) -> None:
            members = orjson.dumps(rest() | error).decode().removeprefix("{")
            self.stdout.write(f"\n], {members}")

        self.has_document = True
        self.stdout.write(f'{{"{name}": [', ending="")
        try:
            yield add
        except BaseException as err:
            with suppress(OSError):
                close(error=reason_of(err))
                self.stdout.flush()
            raise
        close()


def _is_utf_8(argument: str) -> bool:
    """Python keeps the other bytes of an argument as half characters."""
    try:
        return bool(argument.encode()) or not argument
    except UnicodeEncodeError:
        return False


def _break_off(number: int, _frame: object) -> None:
    """What is left to do then is short: a second signal does not disturb it."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise BrokenOff(signal.Signals(number).name)


def _as_command_error(err: BaseException) -> BaseException:
    """What is expected, as one line with its exit code; anything else is a bug, and stays as is."""
    if isinstance(err, SystemCheckError):
        err.returncode = ExitCode.NOT_MADE
    elif isinstance(err, CommandError):
        err.args = (_safe(str(err)),)
    elif isinstance(err, DomainError | BotoCoreError):
        is_running = isinstance(err, AlreadyRunning)
        code = ExitCode.ALREADY_RUNNING if is_running else ExitCode.NOT_MADE
        return CommandError(_sentence(err), returncode=code)
    elif isinstance(err, KeyboardInterrupt):
        by = f" by {err}" if str(err) else ""
        return not_made(f"Interrupted{by}. Completed work is kept; run the command again.")
    elif isinstance(err, BrokenPipeError):
        return not_made("Interrupted: the output was closed.")
    elif isinstance(err, DatabaseError | InterfaceError):
        reason = (str(err).splitlines() or [type(err).__name__])[0]
        return not_made(trouble_with(err) or f"The database failed: {reason}")
    return err


def _sentence(err: DomainError | BotoCoreError) -> str:
    if isinstance(err, DomainError | ProfileNotFound):
        return str(err)
    return f"AWS's configuration or the store cannot be used: {loggable(err)}"


def reason_of(err: BaseException) -> str:
    """Why a run broke off, in a sentence; of a bug only its kind: its text may hold anything."""
    err = _as_command_error(err)
    return str(err) if isinstance(err, CommandError) else f"Interrupted by {type(err).__name__}."


def _safe(text: str) -> str:
    parts = re.split(r"([\n\t])", text)
    return "".join(part if part in "\n\t" else escape_controls(part) for part in parts)


def _give_up_on_output() -> None:
    """Python would try once more to write the rest, and end with an exit code of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refuse(message: str) -> NoReturn:
    raise wrong_argument(f"Error: {message}")


WHY_LEFT = {
    "root_is_shared": (
        "Another build of an LTD Keeper has the same root. An action in the admin's "
        "list of builds can clear this."
    ),
    SessionsAlive.code: "A session can still write to it: a run after that has expired removes it.",
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


WHAT_OF_TYPES: dict[str, str] = {
    Types.UNTYPED: "pages are stored without a content type.",
    Types.UNSEEN: "the auditor could not check the content types. The log says why.",
}


def report_builds(command: ServiceCommand, outcomes: Iterable[Outcome]) -> Totals:
    """Write what a build needs as it comes, in memory that does not grow; JSON has it all."""
    totals = Totals()
    with command.write_list("builds", lambda: {"totals": asdict(totals)}) as add:
        for outcome in outcomes:
            add(asdict(outcome), *_lines_of(outcome))
            totals.add(outcome)
    return totals


def _lines_of(outcome: Outcome) -> Iterator[str]:
    if outcome.failure:
        yield f"{outcome.root}: {outcome.failure}"
    elif outcome.left:
        yield f"{outcome.root}: left, {outcome.left}. {WHY_LEFT[outcome.left]}"
    elif told := WHAT_OF_TYPES.get(outcome.types):
        yield f"{outcome.root}: {told}"
