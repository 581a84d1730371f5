"""`format=github`, evaluated by real shells; the file is read as a runner reads it."""

from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.job_environment.scripts import github_lines
from credentials.job_environment.variables import HEEDED_WHEN_EMPTY, TAKEN_AWAY, StepDelivery
from tests.credentials.job_environment.steps import BOUNDARY, TOKEN, printed, read, step
from tests.shells import SHELLS, evaluated

IN_EVERY_SHELL = pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
ANY_NAME = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SEVERAL = settings(max_examples=10)


def lines(**fields: object) -> str:
    return github_lines(step(**fields), boundary=BOUNDARY)


def later_environment(file: Path) -> dict[str, str]:
    """What later steps get, by GitHub's rules: `NAME=value`, or `NAME<<END`, lines, `END`."""
    found: dict[str, str] = {}
    rows = iter(file.read_bytes().decode().split("\n")[:-1])
    for row in rows:
        name, mark, end = row.partition("<<")
        if not mark or "=" in name:
            name, _, found[name] = row.partition("=")
            continue
        value = []
        while (line := next(rows)) != end:
            value.append(line)
        found[name] = "\n".join(value)
    return found


@pytest.fixture
def github(tmp_path: Path) -> dict[str, str]:
    """The variables of a runner that matter here; the file has something in it already."""
    (tmp_path / "github_env").write_text("EARLIER=kept\n")
    return {"GITHUB_ENV": str(tmp_path / "github_env")}


@IN_EVERY_SHELL
def test_later_steps_have_what_this_step_has(
    shell: list[str], tmp_path: Path, github: dict[str, str]
) -> None:
    names = ["LTD_PASSWORD", "LTD_JOB_FOLDER", "LTD_CURL", "AWS_CONFIG_FILE", "AWS_PROFILE"]
    then = "echo; " + printed(*names)
    done = evaluated(shell, lines(), folder=tmp_path, then=then, environment=github)
    later = later_environment(tmp_path / "github_env")
    assert read(done.stdout.rpartition(b"\n")[2]) == [later[name] for name in names]
    assert (later["EARLIER"], later["LTD_PASSWORD"]) == ("kept", TOKEN)
    assert Path(later["LTD_CURL"]).exists()


@SEVERAL
@given(name=ANY_NAME)
def test_newlines_do_not_set_other_variables(
    name: str, tmp_path: Path, github: dict[str, str]
) -> None:
    hostile = f"{name}\nPATH=/hostile\nX<<{BOUNDARY[:-1]}\n"
    (tmp_path / "github_env").write_text("")
    evaluated(SHELLS["sh"], lines(client_name=hostile), folder=tmp_path, environment=github)
    later = later_environment(tmp_path / "github_env")
    assert later["LTD_USERNAME"] == hostile
    assert not {"PATH", "X"} & later.keys()


@IN_EVERY_SHELL
def test_token_is_masked_before_anything_else_is_printed(
    shell: list[str], tmp_path: Path, github: dict[str, str]
) -> None:
    done = evaluated(shell, lines(), folder=tmp_path, environment=github)
    shown = [TOKEN, *(b64encode(each.encode()).decode() for each in (f"ci:{TOKEN}", f"{TOKEN}:"))]
    assert done.stdout.decode().splitlines() == [f"::add-mask::{each}" for each in shown]
    assert done.stderr == b""


def test_what_is_set_for_the_job_is_emptied_for_later_steps(
    tmp_path: Path, github: dict[str, str]
) -> None:
    hostile = dict.fromkeys(TAKEN_AWAY, "hostile")
    evaluated(SHELLS["sh"], lines(), folder=tmp_path, environment=github | hostile)
    later = later_environment(tmp_path / "github_env")
    left = dict.fromkeys(TAKEN_AWAY, "") | {"AWS_DEFAULT_PROFILE": "ltd"}
    assert {name: later.get(name) for name in TAKEN_AWAY} == left


def test_what_is_not_set_is_not_emptied(tmp_path: Path, github: dict[str, str]) -> None:
    evaluated(SHELLS["sh"], lines(), folder=tmp_path, environment=github)
    assert not later_environment(tmp_path / "github_env").keys() & set(TAKEN_AWAY)


@pytest.mark.parametrize("name", HEEDED_WHEN_EMPTY)
def test_what_cannot_be_emptied_is_an_error_for_containers(
    name: str, tmp_path: Path, github: dict[str, str]
) -> None:
    done = evaluated(
        SHELLS["sh"],
        lines(delivery=StepDelivery.CONTAINER),
        folder=tmp_path,
        then="echo went on",
        options="-u",
        environment=github | {name: ""},
    )
    assert done.returncode == 1
    assert b"went on" not in done.stdout
    assert name.encode() in done.stderr
    assert (tmp_path / "github_env").read_text() == "EARLIER=kept\n"


def test_variable_that_masks_the_profile_is_an_error_for_several_products(
    tmp_path: Path, github: dict[str, str]
) -> None:
    done = evaluated(
        SHELLS["sh"],
        lines(product_slugs=("handbook", "guide")),
        folder=tmp_path,
        then="echo went on",
        options="-u",
        environment=github | {"AWS_DEFAULT_PROFILE": "default"},
    )
    assert (done.returncode, b"went on" in done.stdout) == (1, False)
    assert b"AWS_DEFAULT_PROFILE is set for the job" in done.stderr
    assert (tmp_path / "github_env").read_text() == "EARLIER=kept\n"


def test_elsewhere_it_says_so(tmp_path: Path) -> None:
    done = evaluated(SHELLS["sh"], lines(), folder=tmp_path, then="echo went on")
    assert done.returncode != 0
    assert (done.stdout, b"ask for format=env" in done.stderr) == (b"", True)


def test_failure_keeps_nothing_for_later_steps(tmp_path: Path, github: dict[str, str]) -> None:
    broken = github | {"TMPDIR": "/nonexistent"}
    done = evaluated(
        SHELLS["sh"], lines(), folder=tmp_path, then="echo $?", options="-u", environment=broken
    )
    assert done.stdout.splitlines()[-1] == b"1"
    assert (tmp_path / "github_env").read_text() == "EARLIER=kept\n"
