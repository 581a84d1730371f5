"""A running `make serve`, and an uploader that knows nothing but what its file says."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from demo.job import Keeper
from demo.processes import ROOT, bare_environment
from demo.service import free_port
from demo.store import CLIENT_CONFIG
from tests.demo.processes import become

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
            assert become(lambda: (folder / "manage-env").exists() or process.poll() is not None)
            assert process.stdout
            greeting = "".join(iter(process.stdout.readline, "Ctrl-C stops everything.\n"))
            values = sourced(folder / "env")
            path = folder / "env"
            yield Serving(process=process, env_file=path, greeting=greeting, values=values)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def sourced(env_file: Path) -> dict[str, str]:
    """What a shell has after reading the file, of the names that may be in it."""
    script = ["env", "-i", "sh", "-c", '. "$0" && env', str(env_file)]
    lines = subprocess.run(script, capture_output=True, text=True, check=True).stdout.splitlines()
    found = dict(line.split("=", 1) for line in lines)
    return {name: found[name] for name in found.keys() & (NAMES | READER_NAMES)}


def reader_of(values: dict[str, str]) -> Any:
    """S3 with the key that only reads."""
    return boto3.client(
        "s3",
        endpoint_url=values["AWS_ENDPOINT_URL"],
        region_name=values["AWS_DEFAULT_REGION"],
        aws_access_key_id=values["DEMO_READ_ACCESS_KEY_ID"],
        aws_secret_access_key=values["DEMO_READ_SECRET_ACCESS_KEY"],
        config=CLIENT_CONFIG,
    )


def upload_page(values: dict[str, str]) -> str:
    """Upload a page as an uploader would, with those values alone; its key."""
    keeper = Keeper(
        values["LTD_HOST"], client=values["LTD_USERNAME"], api_key=values["LTD_PASSWORD"]
    )
    published = keeper.publish(
        values["LTD_PRODUCT"],
        lambda s3, build: s3.put_object(
            Bucket=values["S3_BUCKET"], Key=f"{build['bucket_root_dir']}/index.html", Body=b"hello"
        ),
    )
    return f"{published.build['bucket_root_dir']}/index.html"
