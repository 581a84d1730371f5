"""`make serve`, as a process of its own."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from demo.child import ROOT
from demo.environment import bare_environment
from demo.errors import DemoError
from demo.identities import BUCKET, ROLE_ARN, Identities
from demo.keeper import Keeper
from demo.leaks import leaks
from demo.serve import wanted_port
from demo.service import free_port
from demo.store import CLIENT_CONFIG, EmbeddedStore
from tests.demo.processes import become, descendants, running

pytestmark = pytest.mark.loopback

NAMES = {
    "LTD_HOST",
    "LTD_USERNAME",
    "LTD_PASSWORD",
    "LTD_PRODUCT",
    "S3_BUCKET",
    "AWS_ENDPOINT_URL",
    "AWS_DEFAULT_REGION",
}
READER_NAMES = {"DEMO_READ_ACCESS_KEY_ID", "DEMO_READ_SECRET_ACCESS_KEY"}


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A running `make serve`, what it printed, and what a shell reads from its file."""

    process: "subprocess.Popen[str]"
    env_file: Path
    greeting: str
    values: dict[str, str]


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[Serving]:
    """Ended by Ctrl-C."""
    settings = {"DEMO_DIR": str(folder), "PORT": str(free_port()), **environment}
    env = bare_environment() | {"LTD_ENV_FILE": os.devnull, **settings}
    command = [sys.executable, "-m", "demo.serve"]
    with subprocess.Popen(command, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE) as process:
        try:
            assert become(lambda: (folder / "env").exists() or process.poll() is not None)
            assert process.stdout
            greeting = "".join(iter(process.stdout.readline, "Ctrl-C stops everything.\n"))
            values = sourced(folder / "env")
            path = folder / "env"
            yield Serving(process=process, env_file=path, greeting=greeting, values=values)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def sourced(env_file: Path) -> dict[str, str]:
    """What a shell has after reading the file, of the names that may be in it."""
    script = ["env", "-i", "sh", "-c", '. "$0" && env', str(env_file)]
    lines = subprocess.run(script, capture_output=True, text=True, check=True).stdout.splitlines()
    found = dict(line.split("=", 1) for line in lines)
    return {name: found[name] for name in found.keys() & (NAMES | READER_NAMES)}


def s3_client(values: dict[str, str], *keys: str) -> Any:
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    endpoint = {"endpoint_url": values["AWS_ENDPOINT_URL"], "config": CLIENT_CONFIG}
    region = values["AWS_DEFAULT_REGION"]
    return boto3.client(
        "s3", region_name=region, **endpoint, **dict(zip(names, keys, strict=False))
    )


def upload_page(values: dict[str, str]) -> str:
    """Upload a page as an uploader would, with those values alone; its key."""
    keeper = Keeper(
        values["LTD_HOST"], client=values["LTD_USERNAME"], api_key=values["LTD_PASSWORD"]
    )
    build = keeper.register_build(values["LTD_PRODUCT"])
    made = keeper.credentials_for(build)
    s3 = s3_client(values, made.access_key_id, made.secret_access_key, made.session_token)
    key = f"{build.root}/index.html"
    s3.put_object(Bucket=values["S3_BUCKET"], Key=key, Body=b"hello")
    keeper.finish_build(build)
    return key


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("serve") / "work folder") as running_serve:
        yield running_serve


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
        browser.get(login, timeout=10)
        form = {"username": "admin", "password": password, "next": "/admin/"}
        token = {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        page = browser.post(login, data=form | token, headers={"Referer": login}, timeout=10)
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
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False
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


@pytest.fixture
def own_store(
    embedded_store: EmbeddedStore, identities: Identities, tmp_path: Path
) -> dict[str, str]:
    """The environment of an operator who has a store, as `.env` might hold it."""
    return {
        "LTD_SECRET_KEY": "a-secret-key-of-the-operators-own-choice-0123456789",
        "LTD_PUBLIC_URL": "",
        "LTD_ALLOW_HTTP": "true",
        "LTD_ALLOW_SQLITE": "true",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'own.sqlite3'}",
        "LTD_STORE_NAME": "own",
        "LTD_STORE_BUCKET": BUCKET,
        "LTD_STORE_ROLE_ARN": ROLE_ARN,
        "LTD_STORE_ENDPOINT_URL": embedded_store.endpoint_url,
        "AWS_ACCESS_KEY_ID": identities.vendor.access_key_id,
        "AWS_SECRET_ACCESS_KEY": identities.vendor.secret_access_key,
    }


def test_named_store_is_served_without_an_embedded_one(
    tmp_path: Path, own_store: dict[str, str], embedded_store: EmbeddedStore
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("".join(f"{name}={value}\n" for name, value in own_store.items()))
    with serving(tmp_path / "work", LTD_ENV_FILE=str(dotenv)) as own:
        assert own.values.keys() == NAMES
        assert own.values["AWS_ENDPOINT_URL"] == embedded_store.endpoint_url
        upload_page(own.values)
        started = descendants(own.process.pid)
    assert own.process.returncode == 0
    assert not running(started)
    assert not own.env_file.exists()


def test_public_name_need_not_lead_here_yet(tmp_path: Path, own_store: dict[str, str]) -> None:
    name = "https://keeper.example.org"
    proxied = {"LTD_PUBLIC_URL": name, "LTD_TRUSTED_PROXIES": "1"}
    with serving(tmp_path / "work", **own_store | proxied) as own:
        assert own.values["LTD_HOST"] == name
