"""Every snippet of the pages is run or checked by a test, or a comment above it says why it is not.

`.. checked by: tests/...` names the test, `.. not run: ...` the reason. Without either, a snippet
is a recipe that tests run, a file that tests name, or commands whose options are checked here.
"""

import json
import re
import shlex
import textwrap
import tomllib
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, get_commands, load_command_class
from jsonschema import Draft202012Validator
from ltdkeeper_upload.__main__ import arguments

from credentials.rules.tokens import TokenKind, new_token
from ltdkeeper.api.schema import made_document
from tests.documents import validator_of
from tests.test_docs import ROOT, variables
from tests.workflows.test_recipes import EVERY

DOCS, TESTS = ROOT / "docs", ROOT / "tests"
DIRECTIVE = re.compile(r"( *)\.\. (code-block|literalinclude):: (\S+)")
MARK = re.compile(r"^ *\.\. (checked by|not run): ([^\n]+)")
ENDS = {"&&", "||", "|", ";", ">", "\\"}
# Variables that are not this service's: of the AWS SDKs, and of deploy/compose.yml.
OTHERS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "POSTGRES_PASSWORD", "KEEPER_HOST"}
OTHERS |= {"DEMO_READ_ACCESS_KEY_ID", "DEMO_READ_SECRET_ACCESS_KEY"}
SCHEMAS = {"how-to/audits.rst": "audit_sessions", "reference/commands.rst": "create_client"}
SYNOPSES = "reference/commands.rst"


@dataclass(frozen=True)
class Snippet:
    """`what` is the language of a block, or the file that is included; `text` is the block."""

    page: str
    line: int
    kind: str
    what: str
    text: str
    mark: str
    why: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def snippets_of(page: Path) -> Iterator[Snippet]:
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if found := DIRECTIVE.match(line):
            before = "\n".join(lines[:number]).rstrip().rpartition("\n\n")[2]
            mark, why = marked.groups() if (marked := MARK.match(before)) else ("", "")
            name = page.relative_to(DOCS).as_posix()
            block = body(lines[number + 1 :], len(found[1]))
            yield Snippet(name, number + 1, found[2], found[3], block, mark, why)


def body(lines: list[str], indent: int) -> str:
    """The lines below a directive, without its options."""
    inside: list[str] = []
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        inside.append(line)
    text = textwrap.dedent("\n".join(inside))
    return re.sub(r"\A(:.*\n)*", "", text).strip("\n") + "\n"


SNIPPETS = [each for page in sorted(DOCS.rglob("*.rst")) for each in snippets_of(page)]
RECIPES = {text.strip("\n") + "\n" for text in EVERY.values()}


@cache
def text_of_tests() -> str:
    paths = [path for path in TESTS.rglob("*") if path.suffix in {".py", ".yml"}]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def commands_of(text: str) -> Iterator[list[str]]:
    """The words of each line, without what the shell does with it."""
    text = re.sub(r"\$\(date [^)]*\)", "2026-10-31T12:00Z", re.sub(r"\\\n\s*", "", text))
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            is_whole = line.count('"') % 2 == 0  # or its text goes on in the next line
            yield shlex.split(line, comments=True) if is_whole else [line]


@cache
def parser_of_command(name: str) -> ArgumentParser:
    assert name in get_commands(), name
    return load_command_class(get_commands()[name], name).create_parser("", name)


def parser_of(words: list[str]) -> tuple[ArgumentParser, list[str]] | None:
    """Who reads the arguments of a line, if it is a command of this project."""
    name = next((n for n, word in enumerate(words) if re.search(r"(^|/)manage\.py$", word)), None)
    name = 0 if name is None and words[0] in {"keeper", "ltdkeeper"} else name
    if name is None:
        return (arguments({}), words[1:]) if words[0] == "ltdkeeper-upload" else None
    return parser_of_command(words[name + 1]), words[name + 2 :]


def is_checked(words: list[str]) -> bool:
    """Whether a line is a command or setting of this project; it must exist."""
    if (name := words[0].partition("=")[0]).startswith("LTD_"):
        assert name in variables(), name
    if name in variables() | OTHERS:
        return True
    if "=" in words[0] and len(words) > 1:
        return is_checked(words[1:])
    if words[0] == "make" and "/" not in words[1]:
        assert re.search(f"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M), words[1]
        return True
    if not (found := parser_of(words)):
        return False
    parser, rest = found
    end = next((n for n, word in enumerate(rest) if word in ENDS), len(rest))
    try:
        parser.parse_args(rest[:end])
    except (CommandError, SystemExit) as err:
        pytest.fail(f"{' '.join(words)}: {err}")
    return True


def is_proved(snippet: Snippet) -> bool:
    """Whether a test runs the snippet, or all of it is checked here."""
    if snippet.kind == "literalinclude":
        return Path(snippet.what).name in text_of_tests()
    if snippet.what == "sh":
        return snippet.text in RECIPES or False not in {
            is_checked(each) for each in commands_of(snippet.text)
        }
    if snippet.what == "json":
        return snippet.page == "reference/http.rst" or snippet.page in SCHEMAS
    return snippet.what == "text"


def is_as_marked(snippet: Snippet) -> bool:
    if snippet.mark == "checked by":
        text = (ROOT / snippet.why).read_text(encoding="utf-8")
        return Path(snippet.page).name in text or Path(snippet.what).name in text
    return is_proved(snippet) != (snippet.mark == "not run")


def test_every_snippet_is_run_or_checked_or_says_why_not() -> None:
    assert SNIPPETS
    assert [str(each) for each in SNIPPETS if not is_as_marked(each)] == []


def test_commands_have_the_options_that_pages_give_them() -> None:
    commands = [each for each in SNIPPETS if "manage.py " in each.text or "keeper " in each.text]
    checked = [
        is_checked(words)
        for snippet in commands
        if snippet.page != SYNOPSES and snippet.what in {"sh", "text"}
        for words in commands_of(snippet.text)
    ]
    assert True in checked


def with_null(schema: Any) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema says `null`."""
    if isinstance(schema, list):
        return [with_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: with_null(each) for name, each in schema.items() if name != "nullable"}
    return {"anyOf": [made, {"type": "null"}]} if schema.get("nullable") is True else made


def schemas_of(document: Any, call: str) -> Iterator[Any]:
    """What a call takes and returns, as the OpenAPI document has it."""
    method, path = call.partition("?")[0].split()
    for name, item in document["paths"].items():
        if re.sub(r"\{.*?\}", "<>", name) == re.sub(r"<.*?>", "<>", path):
            operation = item[method.lower()]
            for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
                yield from (each["schema"] for each in holder.get("content", {}).values())


def documents() -> Iterator[Any]:
    """Each JSON document of the reference, and the call that it belongs to."""
    text = (DOCS / "reference" / "http.rst").read_text(encoding="utf-8")
    headings = re.findall(r"^(.+)\n-{3,}$", text, re.M)
    calls = iter(zip(headings, re.split(r"^.+\n-{3,}$", text, flags=re.M)[1:], strict=True))
    for heading, section in calls:
        if "/sessions/" in heading:  # for operators; not in the OpenAPI document
            continue
        for block in re.findall(r"\.\. code-block:: json\n\n((?: .*\n|\n)+)", section):
            yield heading.split(", ")[-1], json.loads(block)


def test_json_of_the_reference_fits_the_openapi_document() -> None:
    document = with_null(made_document())
    components = {"components": document["components"]}
    for call, shown in documents():
        faults = [
            [error.message for error in Draft202012Validator(each | components).iter_errors(shown)]
            for each in schemas_of(document, call if "/" in call else "GET /builds/<>")
        ]
        assert [] in faults, (call, faults)


def test_json_of_commands_fits_their_schemas() -> None:
    shown = [each for each in SNIPPETS if each.page in SCHEMAS and each.what == "json"]
    assert {each.page for each in shown} == set(SCHEMAS)
    for snippet in shown:
        validator_of(SCHEMAS[snippet.page]).validate(json.loads(snippet.text))


def test_secret_scanners_find_tokens() -> None:
    """With the rule in docs/how-to/keys.rst."""
    [text] = [each.text for each in SNIPPETS if each.what == "toml"]
    [rule] = tomllib.loads(text)["rules"]
    for kind in TokenKind:
        assert re.search(rule["regex"], f"key={new_token(kind).text.reveal()};"), kind
