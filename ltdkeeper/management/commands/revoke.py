"""`manage.py revoke`: revoke live sessions."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

import boto3
from django.utils import timezone

from builds.errors import DomainError
from credentials.access.clients import command_line_user
from credentials.errors import AlreadyRunning
from credentials.models import Revocation
from credentials.operations.revocation_targets import Kind, find_target
from credentials.operations.revoking import (
    Preview,
    preview,
    require_reason_and_time,
    revoke,
    unverified,
)
from ltdkeeper.management import revocations
from ltdkeeper.management.outcomes import (
    ExitCode,
    ServiceCommand,
    add_revoker_argument,
    end,
    profile_session,
    utc_time,
    wrong_argument,
)

# Another run that writes is done in a few seconds, unless it waits for a store.
TRIES = 30


class Command(ServiceCommand):
    help = (
        "Revoke the live sessions of a session, build, job token, API key, client, "
        "product or store, together with the credential that requested them, and write "
        "that to the store. Exit code 3 if writing failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=Revocation.Kind.values)
        parser.add_argument(
            "name", help="a session: or its access key id; a build: or an object in it"
        )
        parser.add_argument(
            "--reason", required=True, help="kept with the revocation and in the admin's log"
        )
        parser.add_argument(
            "--before",
            type=utc_time,
            metavar="TIME",
            help="only sessions requested until this time, such as 2026-10-31T12:00Z",
        )
        parser.add_argument(
            "--may-go-on",
            action="store_true",
            help="do not revoke the credential that requested them",
        )
        parser.add_argument("--dry-run", action="store_true", help="only print what would end")
        parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
        add_revoker_argument(parser)
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        session, now = profile_session(options["profile"]), timezone.now()
        may_go_on, is_dry_run = options["may_go_on"], options["dry_run"]
        try:
            target = find_target(
                kind=options["kind"], text=options["name"], before=options["before"]
            )
            require_reason_and_time(target=target, reason=options["reason"], now=now)
            seen = preview(targets=[target], now=now, may_go_on=may_go_on)
            self.say(*_lines(seen))
            decisions: list[Revocation] = []
            if not is_dry_run:
                self._confirm(is_sure=options["yes"])
                decisions = revoke(
                    target=target,
                    reason=options["reason"],
                    by=command_line_user(),
                    now=now,
                    may_go_on=may_go_on,
                )
            # What was revoked before and the store does not refuse yet is tried again.
            decisions += [each for each in unverified(target, now) if each not in decisions]
        except DomainError as err:
            raise wrong_argument(err.message) from err
        for decision in [] if is_dry_run else decisions:
            _write(decision, session)
        summary = _nothing_changed if is_dry_run else revocations.summary
        document = _document(seen, decisions)
        self.answer(document, *revocations.lines(decisions), summary(decisions))
        end(ExitCode.NOTHING_FOUND if is_dry_run else revocations.exit_code(decisions))

    def _confirm(self, *, is_sure: bool) -> None:
        if is_sure:
            return
        if self.is_json or not sys.stdin.isatty():
            raise wrong_argument("Confirmation is not possible here: use --yes, or --dry-run.")
        if input("Revoke? Type yes: ") != "yes":
            raise wrong_argument("Nothing was revoked.")


def _write(decision: Revocation, session: boto3.session.Session | None) -> None:
    """At once; where another run is at it, after that one. Raises AlreadyRunning."""
    for attempt in range(TRIES):
        try:
            revocations.write(decision.store, session)
        except AlreadyRunning:
            if attempt == TRIES - 1:
                raise
            time.sleep(1)
        else:
            break
    decision.refresh_from_db()


def _lines(seen: Preview) -> list[str]:
    """What would end."""
    last = f", the last by itself at {seen.last_end:%F %T} UTC" if seen.last_end else ""
    count = f"{seen.session_count} live session{'s' * (seen.session_count != 1)}"
    lines = [f"{seen.targets[0].row}: {count}{last}"]
    lines += [f"  session  {each}, to {each.expires_at:%F %T} UTC" for each in seen.sessions]
    lines += [f"Uploads interrupted: {seen.build_count}"] if seen.build_count else []
    lines += [f"  build    {each.root}" for each in seen.builds]
    lines += [f"Ends as well: {name}" for name in seen.tokens]
    if seen.targets[0].kind is Kind.CLIENT and seen.tokens:
        lines.append("  Its keys work again if it is enabled: revoke a leaked key as well.")
    lines += [f"Store {use.store}: {use.entries} entries of {use.capacity}" for use in seen.stores]
    return lines + [f"! {problem}" for problem in seen.problems]


def _nothing_changed(unverified_before: Sequence[Revocation]) -> str:
    """With what is easily missed where no session is live here any more."""
    if not unverified_before:
        return "Nothing was changed."
    return (
        "The store may still accept the sessions of the revocations above: run write_revocations. "
        "Nothing was changed."
    )


def _document(seen: Preview, decisions: list[Revocation]) -> dict[str, Any]:
    return {
        "target": seen.targets[0].name,
        "sessions": [each.session_name for each in seen.sessions],
        "session_count": seen.session_count,
        "last_end": seen.last_end,
        "builds": [each.root for each in seen.builds],
        "build_count": seen.build_count,
        "tokens": seen.tokens,
        "unrevocable": seen.unrevocable,
        "problems": seen.problems,
        "revocations": [revocations.members(each) for each in decisions],
    }
