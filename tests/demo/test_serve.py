"""`make serve`, as a process of its own."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from demo.play import leaks
from demo.processes import ROOT, DemoError, bare_environment
from demo.serve import wanted_port
from demo.service import free_port
from demo.store import EmbeddedStore, administrator_policy, new_user
from tests.demo.processes import descendants, running
from tests.demo.serving import NAMES, READER_NAMES, Serving, reader_of, serving, upload_page

OWN_BUCKET = "own-docs"


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("serve") / "work folder") as running_serve:
        yield running_serve


def test_env_file_has_every_name_for_its_owner_only(embedded: Serving) -> None:
    assert embedded.values.keys() == NAMES | READER_NAMES
    assert stat.S_IMODE(embedded.env_file.stat().st_mode) == 0o600


def test_what_is_uploaded_can_be_read_with_the_readers_key(embedded: Serving) -> None:
    key = upload_page(embedded.values)
    answer = reader_of(embedded.values).get_object(Bucket=embedded.values["S3_BUCKET"], Key=key)
    assert answer["Body"].read() == b"hello"


def test_one_time_password_opens_the_admin(embedded: Serving) -> None:
    password = embedded.greeting.partition("password ")[2].split()[0]
    login = f"{embedded.values['LTD_HOST']}/admin/login/"
    with requests.Session() as browser:
        browser.get(login, timeout=120)
        form = {"username": "admin", "password": password, "next": "/admin/"}
        token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        page = browser.post(login, data=form | token, headers={"Referer": login}, timeout=120)
    assert (page.status_code, page.url.endswith("/admin/")) == (200, True)


def manage(embedded: Serving, *arguments: str) -> str:
    script = '. "$0" && exec "$@"'
    command = ["sh", "-c", script, str(embedded.env_file.with_name("manage-env"))]
    command += [sys.executable, "manage.py", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=bare_environment(), capture_output=True, check=False, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_commands_act_on_what_is_served(embedded: Serving) -> None:
    manage(embedded, "audit_sessions")
    upload_page(embedded.values)
    what = ["product", embedded.values["LTD_PRODUCT"], "--reason", "a test"]
    told = manage(embedded, "revoke", *what, "--may-go-on", "--yes")
    assert "\nverified " in told  # the store refuses the session that uploaded


def test_secrets_of_a_served_store_are_not_written_down(embedded: Serving) -> None:
    names = ("LTD_PASSWORD", "DEMO_READ_SECRET_ACCESS_KEY")
    secrets = {name: embedded.values[name] for name in names}
    run = embedded.env_file.parent / "serve"
    secrets["admin"] = embedded.greeting.partition("password ")[2].split()[0]
    assert leaks(secrets=secrets, files=[path for path in run.iterdir() if path.is_file()]) == []


def test_wrong_line_of_the_environment_file_is_not_printed(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("LTD_STORE_BUCKET=docs\nAWS_SECRET_ACCESS_KEY: sekret\n")
    said = refusal(tmp_path / "demo", LTD_ENV_FILE=str(file), PORT=str(free_port()))
    assert "sekret" not in said


def refusal(folder: Path, **environment: str) -> str:
    """What `make serve` says when it does not start."""
    env = bare_environment() | {"DEMO_DIR": str(folder), **environment}
    command = [sys.executable, "-m", "demo.serve"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    return done.stderr


def test_taken_port_and_taken_folder_are_reported(tmp_path: Path, embedded: Serving) -> None:
    port = embedded.values["LTD_HOST"].rpartition(":")[2]
    assert f"Port {port} cannot be used: Address already in use" in refusal(tmp_path, PORT=port)
    assert "DEMO_DIR=path" in refusal(embedded.env_file.parent, PORT=str(free_port()))


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "٣", " 8000"])
def test_wrong_port_is_reported(text: str) -> None:
    with pytest.raises(DemoError, match="not a port"):
        wanted_port(text)


@pytest.mark.parametrize(("text", "port"), [("", 8000), ("1", 1), ("65535", 65535)])
def test_port_is_taken_from_the_environment(text: str, port: int) -> None:
    assert wanted_port(text) == port


@pytest.fixture
def own_store(embedded_store: EmbeddedStore, tmp_path: Path) -> dict[str, str]:
    """The environment of an operator who has a store, as `.env` might hold it."""
    vendor = new_user(embedded_store, tmp_path.name, policy=administrator_policy())
    return {
        "LTD_SECRET_KEY": "a-secret-key-of-the-operators-own-choice-0123456789",
        "LTD_PUBLIC_URL": "",
        "LTD_ALLOW_HTTP": "true",
        "LTD_ALLOW_SQLITE": "true",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'own.sqlite3'}",
        "LTD_STORE_NAME": "own",
        "LTD_STORE_BUCKET": OWN_BUCKET,
        "LTD_STORE_ROLE_ARN": "arn:aws:iam::000000000000:role/own-upload",
        "LTD_STORE_ENDPOINT_URL": embedded_store.endpoint_url,
        **vendor.environment,
    }


def test_named_store_is_served_without_an_embedded_one(
    tmp_path: Path, own_store: dict[str, str]
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("".join(f"{name}={value}\n" for name, value in own_store.items()))
    with serving(tmp_path / "work", LTD_ENV_FILE=str(dotenv)) as own:
        assert own.values.keys() == NAMES
        assert own.values["AWS_ENDPOINT_URL"] == own_store["LTD_STORE_ENDPOINT_URL"]
        started = descendants(own.process.pid)
    assert own.process.returncode == 0
    assert not running(started)
    assert not own.env_file.exists()


def test_public_name_need_not_lead_here_yet(tmp_path: Path, own_store: dict[str, str]) -> None:
    name = "https://keeper.example.org"
    proxied = {"LTD_PUBLIC_URL": name, "LTD_TRUSTED_PROXIES": "1"}
    with serving(tmp_path / "work", **own_store | proxied) as own:
        assert own.values["LTD_HOST"] == name
