"""`format=env`, evaluated by the real shells of this machine."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.job_environment.scripts import github_lines, shell_lines
from credentials.job_environment.variables import (
    SCRIPT,
    TAKEN_AWAY,
    TURNED_OFF,
    Endpoint,
    StepDelivery,
)
from credentials.rules.secret import Secret
from tests.credentials.job_environment.steps import BOUNDARY, TOKEN, printed, read, step
from tests.shells import SHELLS, evaluated
from tests.test_docs import ROOT

IN_EVERY_SHELL = pytest.mark.parametrize("shell", SHELLS.values(), ids=SHELLS)
AWS_STORE = Endpoint(region="eu-central-1")
OTHER_STORE = Endpoint(region="us-east-1", endpoint_url="http://[::1]:9000", addressing="path")
PRINTABLE = st.text(st.characters(exclude_categories=["C", "Zl", "Zp", "Zs"]), min_size=1)
ANY_NAME = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SEVERAL = settings(max_examples=10)
# Named here once more, so that one forgotten there is missed.
MUST_GO = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN")
SECRETS_OF_OTHERS = dict.fromkeys((*MUST_GO, *TAKEN_AWAY), "hostile") | dict.fromkeys(
    TURNED_OFF, "hostile"
)


def folder_of(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "tmp").glob("ltdkeeper.*")
    return found


@IN_EVERY_SHELL
def test_step_has_what_uploaders_read_and_its_own_umask(shell: list[str], tmp_path: Path) -> None:
    names = ["LTD_HOST", "LTD_USERNAME", "LTD_PASSWORD", "LTD_PRODUCT", "AWS_REGION", "AWS_PROFILE"]
    lines, then = "umask 027\n" + shell_lines(step()), "umask; " + printed(*names)
    done = evaluated(shell, lines, folder=tmp_path, then=then)
    umask, _, values = done.stdout.partition(b"\n")
    expected = ["https://keeper.example.org", "ci", TOKEN, "handbook", "eu-central-1", "ltd"]
    assert (int(umask, 8), read(values), done.stderr) == (0o027, expected, b"")
    assert done.returncode == 0


@IN_EVERY_SHELL
@SEVERAL
@given(name=ANY_NAME, host=PRINTABLE, token=PRINTABLE)
def test_hostile_values_arrive_as_they_are(
    shell: list[str], name: str, host: str, token: str, tmp_path: Path
) -> None:
    lines = shell_lines(step(client_name=name, host=host, token=Secret(token)))
    then = printed("LTD_USERNAME", "LTD_HOST", "LTD_PASSWORD")
    done = evaluated(shell, lines, folder=tmp_path, then=then)
    assert (read(done.stdout), done.stderr) == ([name, host, token], b"")


@IN_EVERY_SHELL
def test_what_would_win_is_taken_away(shell: list[str], tmp_path: Path) -> None:
    set_again = {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"}
    expected = {StepDelivery.PROCESS: set(), StepDelivery.CONTAINER: set_again}
    then = printed(*TAKEN_AWAY, *TURNED_OFF)
    for delivery, left in expected.items():
        lines = shell_lines(step(delivery=delivery))
        done = evaluated(shell, lines, folder=tmp_path, then=then, environment=SECRETS_OF_OTHERS)
        found = dict(zip((*TAKEN_AWAY, *TURNED_OFF), read(done.stdout), strict=True))
        assert "hostile" not in found.values()
        assert {name for name in TAKEN_AWAY if found[name] != "<unset>"} == left


def test_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    lines = "umask 0\n" + shell_lines(step(product_slugs=("handbook", "guide")))
    evaluated(SHELLS["sh"], lines, folder=tmp_path)
    folder = folder_of(tmp_path)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    names = [
        "keeper.curl",
        "keeper.sh",
        "ltd-handbook.curl",
        "ltd-guide.curl",
        "aws-config",
        "aws-credentials",
    ]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes == dict.fromkeys(names, 0o600)


PLACES = ["a b", "a'\"b", "a\nb", "$(id)"]


@IN_EVERY_SHELL
def test_unusual_places_for_temporary_files_are_left_alone(
    shell: list[str], tmp_path: Path
) -> None:
    then = printed("LTD_JOB_FOLDER") + 'rm -r "$LTD_JOB_FOLDER"'
    for name in PLACES:
        (tmp_path / name).mkdir()
    for place in ["", *(str(tmp_path / name) for name in PLACES)]:
        where = {"TMPDIR": place}
        done = evaluated(shell, shell_lines(step()), folder=tmp_path, then=then, environment=where)
        assert read(done.stdout)[0].startswith("/tmp/ltdkeeper.")  # noqa: S108 - where it must be
        assert done.stderr == b""


def test_runner_has_its_own_place_for_temporary_files(tmp_path: Path) -> None:
    where = {"RUNNER_TEMP": str(tmp_path)}
    then = printed("LTD_JOB_FOLDER")
    done = evaluated(
        SHELLS["sh"], shell_lines(step()), folder=tmp_path, then=then, environment=where
    )
    assert Path(read(done.stdout)[0]).parent == tmp_path


BROKEN = {"TMPDIR": "/nonexistent"}


def test_failure_stops_a_step_that_stops_at_failures(tmp_path: Path) -> None:
    then = "echo went on"
    done = evaluated(
        SHELLS["sh"], shell_lines(step()), folder=tmp_path, then=then, environment=BROKEN
    )
    assert done.returncode != 0
    assert done.stdout == b""
    assert b"a private folder could not be created" in done.stderr


@IN_EVERY_SHELL
def test_failure_leaves_no_other_way_in(shell: list[str], tmp_path: Path) -> None:
    names = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
    done = evaluated(
        shell,
        shell_lines(step()),
        folder=tmp_path,
        then="echo $?; " + printed(*names),
        options="-u",
        environment=SECRETS_OF_OTHERS | BROKEN,
    )
    status, _, rest = done.stdout.partition(b"\n")
    assert (status, read(rest)) == (b"1", ["<unset>", "ltd", "/dev/null", "/dev/null"])


@pytest.mark.parametrize(
    ("store", "expected"),
    [(AWS_STORE, ["<unset>", "<unset>"]), (OTHER_STORE, ["http://[::1]:9000"] * 2)],
    ids=["AWS", "another store"],
)
def test_endpoint_is_set_where_the_store_has_one(
    store: Endpoint, expected: list[str], tmp_path: Path
) -> None:
    then = printed("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3")
    done = evaluated(SHELLS["sh"], shell_lines(step(store=store)), folder=tmp_path, then=then)
    assert read(done.stdout) == expected


def test_process_is_curl_with_a_file_for_every_product(tmp_path: Path) -> None:
    lines = shell_lines(step(product_slugs=("handbook", "guide"), store=OTHER_STORE))
    evaluated(SHELLS["sh"], lines, folder=tmp_path)
    folder = folder_of(tmp_path)
    rest = "s3 =\n    addressing_style = path\n"
    profiles = [("ltd", "handbook"), ("ltd-handbook", "handbook"), ("ltd-guide", "guide")]
    assert (folder / "aws-config").read_text() == "".join(
        f"[profile {name}]\nregion = us-east-1\n"
        f"credential_process = sh {folder}/keeper.sh --config {folder}/ltd-{slug}.curl\n{rest}"
        for name, slug in profiles
    )


def test_curl_file_holds_the_whole_request(tmp_path: Path) -> None:
    evaluated(SHELLS["sh"], shell_lines(step()), folder=tmp_path)
    lines = (folder_of(tmp_path) / "ltd-handbook.curl").read_text().splitlines()
    url = "https://keeper.example.org/credentials?product=handbook&delivery=process"
    assert lines[-2:] == [f'header = "Authorization: Bearer {TOKEN}"', f'url = "{url}"']


def test_container_is_an_address_and_a_header_with_its_scheme(tmp_path: Path) -> None:
    then = printed("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN")
    lines = shell_lines(step(delivery=StepDelivery.CONTAINER))
    url = "https://keeper.example.org/credentials?product=handbook&delivery=container"
    done = evaluated(SHELLS["sh"], lines, folder=tmp_path, then=then)
    assert read(done.stdout) == [url, f"Bearer {TOKEN}"]
    config = (folder_of(tmp_path) / "aws-config").read_text()
    assert config == "[profile ltd]\nregion = eu-central-1\n"


@IN_EVERY_SHELL
@pytest.mark.parametrize("form", ["env", "github"])
def test_shell_that_traces_does_not_show_the_token(
    shell: list[str], form: str, tmp_path: Path
) -> None:
    """As in docs/how-to/ci.rst, the lines are in a file."""
    environment = {
        "PATH": os.environ["PATH"],
        "TMPDIR": str(tmp_path),
        "GITHUB_ENV": str(tmp_path / "github_env"),
    }
    command = [*shell, "-xve", "-c", '. "$0"\necho went on', str(tmp_path / "lines")]
    for made in (step(delivery=delivery) for delivery in StepDelivery):
        lines = shell_lines(made) if form == "env" else github_lines(made, boundary=BOUNDARY)
        (tmp_path / "lines").write_text(lines)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.endswith("went on\n")
        shown = [line for line in done.stdout.splitlines() if not line.startswith("::add-mask::")]
        assert TOKEN not in "".join(shown) + done.stderr


@IN_EVERY_SHELL
def test_shell_traces_again_afterwards(shell: list[str], tmp_path: Path) -> None:
    for where, expected in [({}, "0"), (BROKEN, "1")]:
        done = evaluated(
            shell,
            shell_lines(step()),
            folder=tmp_path,
            then='echo "$? $-"',
            options="-x",
            environment=where,
        )
        status, options = done.stdout.decode().split()
        assert (status, "x" in options) == (expected, True)


def test_script_is_the_one_of_the_documentation() -> None:
    assert (ROOT / "docs" / "examples" / "keeper.sh").read_text() == SCRIPT
