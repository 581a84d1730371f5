"""The reference pages name everything there is, and nothing that is not."""

import ast
import importlib
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from textwrap import dedent
from unittest.mock import MagicMock

import pytest

from builds.errors import DomainError
from credentials.operations.findings import Rule
from ltdkeeper import __version__
from ltdkeeper.api.problems import CODES

ROOT = Path(__file__).parent.parent
PACKAGES = ("builds", "credentials", "ltdkeeper")
REFERENCE = ROOT / "docs" / "reference"
ERRORS = REFERENCE / "errors.rst"
# Problems made outside the error classes: `problem_response(... code="x")`, `_response(503, "x"`.
PROBLEM = re.compile(r'_response\(\s*(?:status=)?[\w.]+,\s*(?:code=)?"(\w+)"')
FALLBACK = re.compile(r'CODES\.get\([^,]+, "(\w+)"\)')
VARIABLE = re.compile(r'(?:env\.\w+|environ\.get)\(\s*"(\w+)"')
PROCFILE_VARIABLE = re.compile(r"\$\{(\w+):-")


def sources() -> Iterator[str]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            yield path.read_text(encoding="utf-8")


def found(pattern: re.Pattern[str], texts: Iterable[str]) -> set[str]:
    return {match for text in texts for match in pattern.findall(text)}


def import_every_error() -> None:
    """Error classes are known once their modules are imported."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("errors.py"):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


def domain_errors(of: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    yield of
    for error in of.__subclasses__():
        yield from domain_errors(error)


def problem_codes() -> set[str]:
    import_every_error()
    codes = {error.code for error in domain_errors() if error.__module__.startswith(PACKAGES)}
    return codes | set(CODES.values()) | found(PROBLEM, sources()) | found(FALLBACK, sources())


def variables() -> set[str]:
    procfile = (ROOT / "Procfile").read_text(encoding="utf-8")
    return found(VARIABLE, sources()) | found(PROCFILE_VARIABLE, [procfile])


def commands() -> set[str]:
    paths = ROOT.glob("*/management/commands/[a-z]*.py")
    return {path.stem for path in paths if path.parts[-4] in PACKAGES}


def test_every_code_has_a_row_and_every_row_a_code() -> None:
    rows = re.findall(r"^   \* - ``(\w+)``$", ERRORS.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == sorted(problem_codes())


def test_rows_have_the_messages() -> None:
    import_every_error()
    page = " ".join(ERRORS.read_text(encoding="utf-8").replace("``", "`").split())
    messages = {error.message for error in domain_errors()} - {DomainError.message}
    assert {each for each in messages if " ".join(each.split()) not in page} == set()


def test_error_classes_are_read_from_the_packages() -> None:
    named = {"build_closed", "sts_throttled", "body_too_large", "database_unavailable"}
    assert named | {"several_stores"} <= problem_codes()


@pytest.mark.parametrize("page", ["docs/reference/settings.rst", ".env.example"])
def test_every_variable_is_described_and_no_other(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert {name for name in variables() if not re.search(rf"\b{name}\b", text)} == set()
    assert set(re.findall(r"\bLTD_[A-Z][A-Z_]+[A-Z]\b", text)) - variables() == set()


def test_every_command_is_in_the_commands_reference() -> None:
    text = (REFERENCE / "commands.rst").read_text(encoding="utf-8")
    headings = set(re.findall(r"^(\w+)\n-+$", text, re.MULTILINE))
    assert commands()
    assert commands() - headings == set()


def test_every_rule_is_in_the_findings_reference_and_no_other() -> None:
    text = (REFERENCE / "findings.rst").read_text(encoding="utf-8")
    sections = re.findall(r"^(\w+)\n~+\n\n.+\n(?:.+\n)*\n:Check: .+\n(?:.+\n)*:Do: ", text, re.M)
    assert sorted(sections) == sorted(Rule)


def test_every_log_event_that_pages_name_is_written() -> None:
    logs = (
        (ROOT / "docs/how-to/monitoring.rst").read_text(encoding="utf-8").partition("\nLogs\n")[2]
    )
    rows = re.findall(r"^   \* - (``\w+``(?:, ``\w+``)*)$", logs, re.MULTILINE)
    events = {name for row in rows for name in re.findall(r"\w+", row)} - {"event"}
    assert "assume_role_failed" in events
    assert {name for name in events if not any(f'"{name}"' in text for text in sources())} == set()


def test_changelog_has_the_version() -> None:
    assert f"\n## [{__version__}] - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_make_target_is_in_the_commands_reference() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    text = (REFERENCE / "commands.rst").read_text(encoding="utf-8")
    assert {target for target in targets if f"``make {target}``" not in text} == set()


def test_boto3_example_stores_pages_as_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 guesses no types: the lines of docs/how-to/boto3.rst do."""
    page = (ROOT / "docs/how-to/boto3.rst").read_text(encoding="utf-8")
    block = page.partition(".. code-block:: python\n")[2]
    lines = dedent(block[: block.index("\n\nboto3 guesses")])
    requests, boto3 = MagicMock(), MagicMock()
    monkeypatch.setitem(sys.modules, "requests", requests)
    monkeypatch.setitem(sys.modules, "boto3", boto3)
    exec(lines, {"build": MagicMock(), "name": "ci", "api_key": "ltdk_"})  # noqa: S102
    [call] = boto3.client.return_value.upload_file.call_args_list
    assert call.kwargs["ExtraArgs"] == {"ContentType": "text/html"}


@cache
def own_texts() -> str:
    """Every text of the upload client and of what examines an account; `{}` where values go."""
    folders = ("client/ltdkeeper_upload", "credentials/operations", "credentials/rules")
    trees = (
        ast.parse(path.read_text()) for each in folders for path in (ROOT / each).rglob("*.py")
    )
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\n".join(str(node.value) for node in nodes)


@pytest.mark.parametrize("section", ["From ltdkeeper-upload", "From the service at its start"])
def test_messages_of_ours_are_as_troubleshooting_has_them(section: str) -> None:
    page = (ROOT / "docs/how-to/troubleshooting.rst").read_text(encoding="utf-8")
    table = page.partition(f"\n{section}")[2].partition("\n   * - Message")[2].partition("\n\n")[0]
    cells = re.findall(r"^   \* - (.*)$", table, re.MULTILINE)
    parts = [
        part.strip()
        for cell in cells
        for text in re.findall("``(.*?)``", cell)
        for part in text.split("...")
    ]
    assert parts
    texts = own_texts()
    assert [part for part in parts if part not in texts] == []


MARKDOWN = [*ROOT.glob("*.md"), ROOT / "client" / "README.md", *ROOT.glob("tests/**/README.md")]


def links_of(page: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    yield from (link for link in re.findall(r"\]\((.*?)\)", text) if "://" not in link)


def leads_somewhere(link: str, page: Path) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    titles = re.findall(r"^#+ (.*)$", target.read_text(), re.M) if anchor else []
    slugs = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    return target.exists() and (not anchor or anchor in slugs)


def test_relative_links_lead_somewhere() -> None:
    links = [(link, page) for page in MARKDOWN for link in links_of(page)]
    assert links
    assert [(link, page) for link, page in links if not leads_somewhere(link, page)] == []


def test_every_path_that_readers_are_given_exists() -> None:
    """`docs/...` in a page, a comment or a message."""
    suffixes = {".py", ".md", ".toml", ".yml", ".rst"}
    paths = [
        path
        for folder in ("builds", "credentials", "ltdkeeper", "client", "deploy", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in suffixes
    ]
    texts = [path.read_text(encoding="utf-8") for path in [*paths, *MARKDOWN]]
    named = found(re.compile(r"\bdocs/[a-z0-9_./-]+\.(?:rst|svg|sh|ya?ml|json)\b"), texts)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
