"""The programs that a run starts, each a child on loopback: stub, load, bare calls, the service."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60
WORKERS = 2
# As many clients as the limits of one client make necessary: they are those of production.
CLIENTS = 64
# What an operator types, in one process, run with the tree that is measured.
SET_UP = f"""
import io, json, django
from django.core.management import call_command
django.setup()
from builds.models import Store
quiet = io.StringIO()
call_command("migrate", verbosity=0)
call_command("createcachetable", verbosity=0)
call_command("ensure_store", stdout=quiet)
Store.objects.update(post_support="works")
keys = []
for number in range({CLIENTS}):
    out, options = io.StringIO(), ("--may-create-products", "--format", "json")
    call_command("create_client", f"ci-{{number}}", *options, stdout=out)
    keys.append(json.loads(out.getvalue())["api_key"])
print(json.dumps(keys))
"""
# Finished builds of the product's own client, so that they count against nobody's limits.
FILL = """
import sys, django
from datetime import timedelta
django.setup()
from django.db import connection
from django.utils import timezone
from builds.models import Build, Product
from credentials.models import BuildOwner
slug, count, now = sys.argv[1], int(sys.argv[2]), timezone.now()
product = Product.objects.select_related("store").get(slug=slug)
Build.objects.bulk_create(
    (Build(product=product, slug=f"old-{number}", root=f"{slug}/builds/old-{number}",
           server_made=False, bucket_name=product.store.bucket, git_refs=["main"],
           surrogate_key="a" * 32, registered_at=now, open_until=now + timedelta(hours=1),
           finished_at=now)
     for number in range(count)), batch_size=5000)
client = BuildOwner.objects.filter(build__product=product).values_list("client", flat=True)[0]
BuildOwner.objects.bulk_create(
    (BuildOwner(build_id=build, client_id=client, token_name="ltdk_old")
     for build in product.builds.filter(slug__startswith="old-").values_list("pk", flat=True)),
    batch_size=5000)
if connection.vendor == "postgresql":
    connection.cursor().execute("VACUUM ANALYZE")  # as autovacuum would, in the midst of a measure
"""


class Talker:
    """A child that answers each line with a line of JSON."""

    def __init__(self, program: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true"},
        )

    def ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout  # noqa: PT018
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def stop(self) -> None:
        self._process.communicate()


class Sts:
    """The stub; `settle` changes how it behaves."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "sts_stub.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def settle(self, *, latency_ms: int = 0, quota: int = 0) -> None:
        self._get(f"/?latency_ms={latency_ms}&quota={quota}")

    @property
    def counters(self) -> dict[str, int]:
        """Calls `answered` and `refused` since the start."""
        return self._get("/")

    def _get(self, path: str) -> dict[str, int]:
        with urlopen(self.url + path, timeout=5) as answer:
            return dict(json.loads(answer.read()))

    def stop(self) -> None:
        self._process.communicate()


class Keeper:
    """The service of one tree under its production server, with a database of its own."""

    def __init__(self, *, tree: Path, database_url: str, sts_url: str, log: Path) -> None:
        self.tree = tree
        self.log = log
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._env = _environment(self.port, database_url, sts_url)
        self.keys: list[str] = json.loads(self._python(SET_UP))

    def _python(self, program: str, *arguments: str) -> str:
        command = [sys.executable, "-c", program, *arguments]
        done = subprocess.run(
            command, cwd=self.tree, env=self._env, check=True, capture_output=True, text=True
        )
        return done.stdout

    def fill(self, product: str, builds: int) -> None:
        """Put that many finished builds into a product."""
        self._python(FILL, product, str(builds))

    @contextmanager
    def running(self, *, threads: int) -> Iterator[None]:
        command = [
            str(Path(sys.executable).with_name("granian")),
            *("--interface", "wsgi", "--http", "1", "--host", "127.0.0.1"),
            *("--port", str(self.port)),
            *("--workers", str(WORKERS), "--blocking-threads", str(threads)),
            "ltdkeeper.wsgi:application",
        ]
        env = self._env | {"LTD_WEB_THREADS": str(threads)}
        with self.log.open("wb") as log:
            process = subprocess.Popen(command, cwd=self.tree, env=env, stdout=log, stderr=log)
        try:
            self._wait(process)
            self._workers = _children(process.pid)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        give_up = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up and process.poll() is None:
            try:
                urlopen(f"http://127.0.0.1:{self.port}/livez", timeout=2)
            except OSError:
                time.sleep(0.1)
            else:
                time.sleep(1)  # the other worker
                return
        raise RuntimeError(self.log.read_text())

    @property
    def processor_ms(self) -> float:
        """Processor time of all workers so far."""
        ticks = 0
        for pid in self._workers:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks * 1000 / TICKS_A_SECOND

    @property
    def memory_mb(self) -> float:
        """Resident memory of the largest worker."""
        sizes = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self._workers]
        return max(sizes) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _environment(port: int, database_url: str, sts_url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "ltdkeeper.settings",
        "LTD_ENV_FILE": os.devnull,
        "LTD_SECRET_KEY": "only-for-the-bench-" * 4,
        "LTD_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "LTD_ALLOW_HTTP": "true",
        "LTD_ALLOW_SQLITE": "true",
        "LTD_LOG_LEVEL": "WARNING",
        "LTD_STORE_BUCKET": "docs-bucket",
        "LTD_STORE_ROLE_ARN": "arn:aws:iam::123456789012:role/upload",
        "LTD_STORE_ENDPOINT_URL": sts_url,
        "DATABASE_URL": database_url,
        "AWS_ACCESS_KEY_ID": "AKIABENCHBENCHBENCHB",
        "AWS_SECRET_ACCESS_KEY": "only-for-the-bench",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
