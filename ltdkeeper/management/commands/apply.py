"""`manage.py apply`: make stores, products, clients and publishers match a file."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import orjson
import yaml

from credentials.access.clients import command_line_user
from credentials.operations.configuration import (
    Change,
    ConfigurationError,
    apply,
    parse_configuration,
    rehearse,
)
from credentials.operations.leases import only_run
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand, end, wrong_argument

SIGNS = {"create": "+", "change": "~", "disable": "-", "delete": "-"}
# What disabling a row does, or does not, besides.
NOT_SAID = {
    "clients": "Its live sessions go on: `manage.py revoke client {}` ends them.",
    "issuers": "Its publishers are disabled as well.",
}


# What PyYAML raises of values that are not what their tag or form says, and of very deep nesting.
BAD_VALUE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
# Merges of merges of merges grow without bound from a few lines.
MOST_MERGED = 100_000


class UniqueKeyLoader(yaml.SafeLoader):
    """YAML in which no key of a mapping may stand twice: one of them would be lost."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                place = key.start_mark
                raise yaml.MarkedYAMLError(problem=f"{key.value} stands twice", problem_mark=place)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)

    def flatten_mapping(self, node: Any) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MOST_MERGED:
            raise yaml.MarkedYAMLError(problem="too many keys", problem_mark=node.start_mark)


def read_document(path: Path) -> Any:
    """What a YAML file says. Raises OSError, UnicodeDecodeError, YAMLError."""
    text = path.read_text(encoding="utf-8")
    try:
        return yaml.load(text, UniqueKeyLoader)  # noqa: S506 - a safe loader
    except BAD_VALUE as err:
        raise yaml.YAMLError(f"a value in it is not valid ({err})") from err


def render(change: Change) -> str:
    """A change as lines: what it is about, then each field."""
    lines = [f"{SIGNS[change.kind]} {change.noun} {change.name}"]
    for name, (found, wanted) in change.fields.items():
        frozen = f" (frozen, {change.why})" if name in change.frozen else ""
        shown = f"{_text(found)} -> " if change.kind == "change" else ""
        lines.append(f"    {name}: {shown}{_text(wanted)}{frozen}")
    if change.section in NOT_SAID and change.fields.get("is_active") == (True, False):
        lines.append(f"    {NOT_SAID[change.section].format(change.name)}")
    return "\n".join(lines)


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


class Command(ServiceCommand):
    help = (
        "Make stores, products, issuers, clients, publishers and groups match a YAML file, as "
        "written by `manage.py export`. What the file leaves out stays as it is. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE.yaml", type=Path)
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="only show what would change; exit code 1 if anything would",
        )
        parser.add_argument(
            "--prune",
            action="store_true",
            help="also disable clients, issuers and publishers that their section leaves out, "
            "remove grants that a client's products leave out, and delete other groups",
        )
        parser.add_argument(
            "--enable",
            action="store_true",
            help="also enable what is disabled here and active in the file",
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        path, how = options["file"], {name: options[name] for name in ("prune", "enable")}
        try:
            wanted = parse_configuration(read_document(path))
            if options["dry_run"]:
                changes = rehearse(wanted, actor=command_line_user(), **how)
            else:
                with only_run("apply"):
                    changes = apply(wanted, actor=command_line_user(), **how)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as err:
            is_text = not isinstance(err, UnicodeDecodeError)
            what = getattr(err, "strerror", err) if is_text else "not UTF-8"
            raise wrong_argument(f"The file {path} cannot be read: {what}") from err
        except ConfigurationError as err:
            lines = "\n".join(err.problems)
            raise wrong_argument(f"Nothing was changed. {path}:\n{lines}") from err
        done = "would be changed" if options["dry_run"] else "changed"
        self.answer(
            {"dry_run": options["dry_run"], "changes": list(map(_members, changes))},
            *map(render, changes),
            f"{len(changes)} {done}." if changes else "Nothing differs.",
        )
        if options["dry_run"] and changes:
            end(ExitCode.FINDINGS)


def _members(change: Change) -> dict[str, Any]:
    fields = {
        name: {"found": found, "wanted": wanted} for name, (found, wanted) in change.fields.items()
    }
    return {
        "what": change.noun,
        "name": change.name,
        "change": change.kind,
        "fields": fields,
        "frozen": change.frozen,
    }
