"""boto3 in a hostile step finds the job's credentials, asks once, and shows the token to nobody."""

import json
import re
import shutil
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.credentials.job_environment.test_github import later_environment
from tests.faults.fake_store import FakeStore
from tests.faults.service import Service
from tests.shells import SHELLS
from tests.steps.conftest import REGISTER, Ask, Step, program
from tests.steps.runner import called, note_arguments, old_curl

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

METHODS = {"process": "custom-process", "container": "container-role"}
SECRET = re.compile(r"ltd[ksj]_[a-z0-9]{12}_[0-9a-f]{64}")


def newest_rows(service: Service, count: int) -> set[tuple[Any, ...]]:
    query = """
        SELECT access_key_id, delivery, product_slug, status FROM credentials_issuedsession
        ORDER BY id DESC
    """
    return set(service.read(query)[:count])


@pytest.mark.parametrize(
    ("shell", "delivery"), [*((shell, "process") for shell in SHELLS), ("sh", "container")]
)
def test_boto3_finds_the_jobs_credentials_and_no_others(
    shell: str, delivery: str, ask: Ask, run_step: Step, service: Service, store: FakeStore
) -> None:
    asked = store.asked
    lines = ask(f"format=env&product=guide&delivery={delivery}")
    done = run_step(lines, REGISTER + program(), shell=shell)
    (found,) = json.loads(done.stdout)
    (row,) = newest_rows(service, 1)
    assert found["method"] == METHODS[delivery]
    assert row == (found["access_key_id"], delivery, "guide", "issued")
    assert store.asked - asked == 1
    assert (found["region"], found["endpoint"]) == ("us-east-1", store.url)


def test_hostile_runner_would_win_without_the_lines(run_step: Step) -> None:
    done = run_step("", program(), AWS_DEFAULT_REGION="us-east-1")
    (found,) = json.loads(done.stdout)
    assert (found["method"], found["access_key_id"]) == ("env", "AKIAHOSTILE")


def test_each_product_has_its_profile(ask: Ask, run_step: Step, service: Service) -> None:
    lines = ask("format=env&product=guide&product=handbook")
    second = REGISTER.replace("$LTD_PRODUCT", "handbook")
    done = run_step(lines, REGISTER + second + program("ltd", "ltd-handbook"))
    first, other = json.loads(done.stdout)
    assert {row[0::2] for row in newest_rows(service, 2)} == {
        (first["access_key_id"], "guide"),
        (other["access_key_id"], "handbook"),
    }


# How a step chooses a product other than the first: by a variable, or in the program.
CHOICES = {
    "AWS_PROFILE": ("export AWS_PROFILE=ltd-handbook\n", ()),
    "AWS_DEFAULT_PROFILE": ("export AWS_DEFAULT_PROFILE=ltd-handbook\n", ()),
    "profile_name": ("", ("ltd-handbook",)),
}


@pytest.mark.parametrize(
    ("form", "choice"),
    [*(("env", choice) for choice in CHOICES), ("github", "AWS_DEFAULT_PROFILE")],
)
def test_step_chooses_another_product(
    form: str,
    choice: str,
    ask: Ask,
    run_step: Step,
    service: Service,
    tmp_path: Path,
) -> None:
    choose, profiles = CHOICES[choice]
    file, unmasked = tmp_path / "github_env", "unset AWS_DEFAULT_PROFILE\n"
    file.touch()
    lines = ask(f"format={form}&product=guide&product=handbook")
    register = REGISTER.replace("$LTD_PRODUCT", "handbook")
    use = choose + program(*profiles)
    if form == "github":
        run_step(unmasked + lines, register, GITHUB_ENV=str(file))
        later = later_environment(file)
        done = run_step("" if "AWS_DEFAULT_PROFILE" in later else unmasked, use, **later)
    else:
        done = run_step(lines, register + use)
    (found,) = json.loads(done.stdout.splitlines()[-1])
    (row,) = newest_rows(service, 1)
    assert row == (found["access_key_id"], "process", "handbook", "issued")


@pytest.mark.parametrize("shell", SHELLS)
def test_no_program_is_called_with_the_token(
    shell: str, ask: Ask, run_step: Step, tmp_path: Path
) -> None:
    programs = {"curl", "mktemp", "cat", "rm", "sh", SHELLS[shell][0]}
    for form in ("env", "github"):
        lines = ask(f"format={form}&product=guide")
        path = note_arguments(tmp_path / form, *programs)
        then, file = REGISTER + program(), str(tmp_path / "github_env")
        run_step(lines, then, shell=shell, GITHUB_ENV=file, **path)
        calls, started = called(path)
        assert SECRET.search(lines)
        assert started == programs
        assert not SECRET.search(calls)


def test_files_of_the_step_hold_the_token_for_its_owner_only(ask: Ask, run_step: Step) -> None:
    then = 'find "$LTD_JOB_FOLDER" -perm /077 && grep -l ltdj_ "$LTD_JOB_FOLDER"/* | wc -l'
    done = run_step(ask("format=env&product=guide"), then)
    assert done.stdout.split() == [b"2"]  # curl's, for the service and for credentials


FINISH = """\
self=$(jq -r .self_url build.json)
sh "$LTD_CALL" -K "$LTD_CURL" -X PATCH "$self" -d '{"uploaded": true}' > done
"""
LOOK_FOR = 'sh "$LTD_CALL" -K "$LTD_CURL" "$LTD_HOST/products/handbook"\n'
# What a step calls, and the sentence of the problem that it then has in its log.
REFUSED = {
    "a call": (LOOK_FOR, "This client has no grant for the product."),
    "curl alone": (LOOK_FOR.replace('sh "$LTD_CALL"', "curl -q"), "This client has no"),
    "an SDK that has not registered": (program(), "You have no open build here."),
    "an SDK that has finished": (
        REGISTER + FINISH + program(),
        "so its token can no longer be used",
    ),
    "a token that was ended": (
        'sh "$LTD_CALL" -K "$LTD_CURL" -X DELETE "$LTD_HOST/token"\n' + program(),
        "invalid_credentials",
    ),
}
WITH_OLD_CURL = ("a call", "an SDK that has not registered")


def refused_log(case: str, lines: str, run_step: Step, **path: str) -> str:
    """The log of a step whose last call is refused."""
    *before, last = REFUSED[case][0].splitlines(keepends=True)
    then = "".join(before) + f"if {last.strip()}; then echo went on; else echo stopped; fi\n"
    done = run_step(lines, then, **path)
    assert done.stdout.endswith(b"stopped\n")
    log: str = (done.stdout + done.stderr).decode()
    return log


@pytest.mark.parametrize("case", REFUSED)
def test_log_of_the_step_says_why_a_call_is_refused(
    case: str, ask: Ask, run_step: Step, service: Service
) -> None:
    sessions = service.sessions()
    log = refused_log(case, ask("format=env&product=guide"), run_step)
    assert REFUSED[case][1] in log
    assert not SECRET.search(log)
    # A listing at finish.
    assert service.sessions() - sessions == REFUSED[case][0].count("PATCH")


@pytest.mark.parametrize("case", WITH_OLD_CURL)
def test_log_says_so_with_curl_before_7_76_too(
    case: str, ask: Ask, run_step: Step, tmp_path: Path
) -> None:
    path = old_curl(tmp_path / "bin")
    log = refused_log(case, ask("format=env&product=guide"), run_step, **path)
    assert REFUSED[case][1] in log
    assert not SECRET.search(log)


def test_job_token_file_for_programs_that_want_one(
    ask: Ask, run_step: Step, store: FakeStore
) -> None:
    """The lines of docs/how-to/ci.rst."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "ci.rst").read_text()
    block = page.partition("a newline at its end is an error:")[2].split(".. code-block:: sh")[1]
    use_file = textwrap.dedent(block.partition("\n\nVersions")[0]).strip() + "\n"
    assert "AUTHORIZATION_TOKEN_FILE" in use_file
    lines = ask("format=env&product=guide&delivery=container")
    done = run_step(lines, REGISTER + use_file + program())
    assert json.loads(done.stdout)[0]["method"] == "container-role"


def test_old_token_answers_with_the_same_lines(ask: Ask, run_step: Step, service: Service) -> None:
    """A step that lost its environment asks again with the job token alone."""
    first = ask("format=env&product=guide")
    again = 'sh "$LTD_CALL" -K "$LTD_CURL" "$LTD_HOST/token?format=env"\n'
    done = run_step(first, again)
    assert done.stdout.decode() == first
