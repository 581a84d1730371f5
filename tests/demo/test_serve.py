"""`make serve` with the embedded store, as a process of its own."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from demo.child import ROOT
from demo.environment import bare_environment
from demo.errors import DemoError
from demo.leaks import leaks
from demo.serve import wanted_port
from demo.service import free_port
from tests.demo.serving import NAMES, READER_NAMES, Serving, s3_client, serving, upload_page

pytestmark = pytest.mark.loopback


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("serve") / "work folder") as running_serve:
        yield running_serve


def test_it_speaks_before_anything_slow_is_loaded(tmp_path: Path) -> None:
    loaded = "import sys, demo.serve; print(sys.modules.keys() & {'boto3', 'requests', 'environ'})"
    done = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
    env = bare_environment() | {"DEMO_DIR": str(tmp_path), "PORT": "none"}
    done = subprocess.run(
        [sys.executable, "-m", "demo.serve"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("Starting the service")


def test_env_file_has_every_name_for_its_owner_only(embedded: Serving) -> None:
    assert embedded.values.keys() == NAMES | READER_NAMES
    assert stat.S_IMODE(embedded.env_file.stat().st_mode) == 0o600


def test_what_is_uploaded_can_be_read_with_the_readers_key(embedded: Serving) -> None:
    values = embedded.values
    key = upload_page(values)
    reader = s3_client(
        values, values["DEMO_READ_ACCESS_KEY_ID"], values["DEMO_READ_SECRET_ACCESS_KEY"]
    )
    assert reader.get_object(Bucket=values["S3_BUCKET"], Key=key)["Body"].read() == b"hello"


def test_one_time_password_opens_the_admin(embedded: Serving) -> None:
    password = embedded.greeting.partition("password ")[2].split()[0]
    login = f"{embedded.values['LTD_HOST']}/admin/login/"
    with requests.Session() as browser:
        browser.get(login, timeout=120)
        form = {"username": "admin", "password": password, "next": "/admin/"}
        token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        page = browser.post(login, data=form | token, headers={"Referer": login}, timeout=120)
    assert (page.status_code, page.url.endswith("/admin/")) == (200, True)


def test_secrets_of_a_served_store_are_not_written_down(embedded: Serving) -> None:
    values = embedded.values
    secrets = {name: values[name] for name in ("LTD_PASSWORD", "DEMO_READ_SECRET_ACCESS_KEY")}
    run = embedded.env_file.parent / "serve"
    secrets["admin"] = embedded.greeting.partition("password ")[2].split()[0]
    assert leaks(secrets=secrets, files=[path for path in run.iterdir() if path.is_file()]) == []


def refusal(folder: Path, **environment: str) -> str:
    """What `make serve` says when it does not start."""
    env = bare_environment() | {"DEMO_DIR": str(folder), **environment}
    command = [sys.executable, "-m", "demo.serve"]
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    return done.stderr


def test_taken_port_is_told(tmp_path: Path, embedded: Serving) -> None:
    port = embedded.values["LTD_HOST"].rpartition(":")[2]
    assert f"Port {port} cannot be used: Address already in use" in refusal(tmp_path, PORT=port)


def test_folder_in_use_is_told(embedded: Serving) -> None:
    assert "DEMO_DIR=path" in refusal(embedded.env_file.parent, PORT=str(free_port()))


@pytest.mark.parametrize("text", ["0", "65536", "-1", "8000.0", "http", "٣", " 8000"])
def test_wrong_port_is_told(text: str) -> None:
    with pytest.raises(DemoError, match="not a port"):
        wanted_port(text)


@pytest.mark.parametrize(("text", "port"), [("", 8000), ("8001", 8001), ("65535", 65535)])
def test_port_is_taken_from_the_environment(text: str, port: int) -> None:
    assert wanted_port(text) == port
