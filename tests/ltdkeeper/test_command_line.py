"""`manage.py`: wrong settings and a database that is away are lines, exit code 3, no traceback."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {
    "apply": "docs/examples/keeper.yaml",
    "create_publisher": "--github octo/docs --product handbook --id 1 --id 2",
    "export": "",
    "audit_bucket": "",
    "audit_schedule": "",
    "audit_sessions": "",
    "bootstrap_store": "",
    "check_isolation": "",
    "compact_policies": "",
    "count_builds": "",
    "audit_cloudtrail": "docs",
    "create_client": "ci",
    "deliver_webhooks": "",
    "doctor": "",
    "ensure_store": "",
    "find": "guide/builds/v1",
    "findings": "",
    "import_ltd": "--from https://127.0.0.1:1 --store default",
    "needs_attention": "",
    "prune_sessions": "--older-than 400d --dry-run",
    "purge_builds": "--deleted-before 30",
    "recover_builds": "default",
    "reset_second_factor": "admin --reason lost",
    "revoke": "client ci --reason leaked --yes",
    "revoke_key": "abcdefghijkl",
    "roll_up": "",
    "run_clock": "",
    "withdraw_key": "abcdefghijkl",
    "write_revocations": "",
    "changepassword": "admin",
    "clearsessions": "",
    "createcachetable": "",
    "createsuperuser": "",
    "migrate": "",
    "showmigrations": "",
    "check": "--deploy --fail-level ERROR",
}
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "LTD_ENV_FILE": os.devnull,
    "LTD_SECRET_KEY": "only-for-tests-" * 5,
    "LTD_PUBLIC_URL": "https://keeper.example.org",
    "LTD_ALLOW_SQLITE": "true",
    "LTD_STORE_BUCKET": "docs",
    "LTD_STORE_ROLE_ARN": "arn:aws:iam::123456789012:role/upload",
    "AWS_EC2_METADATA_DISABLED": "true",
}
# All commands in one process, since each would take a second to start.
RUN_ALL = """
import contextlib, io, json, manage, sys
found = {}
for name, arguments in json.loads(sys.argv[1]).items():
    with contextlib.redirect_stderr(io.StringIO()) as said:
        try:
            manage.main(["manage.py", name, *arguments.split()])
            code = 0
        except SystemExit as err:
            code = err.code
    found[name] = code, said.getvalue()
json.dump(found, open(sys.argv[2], "w"))
"""


def run_all(folder: Path, **changes: str) -> dict[str, tuple[int, str]]:
    answer = folder / "answer.json"
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, json.dumps(COMMANDS), str(answer)],
        env=ENVIRONMENT | changes,
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: (code, said) for name, (code, said) in json.loads(answer.read_text()).items()}


def test_every_command_is_tried() -> None:
    paths = ROOT.glob("*/management/commands/[a-z]*.py")
    assert {path.stem for path in paths if path.parts[-4] != "tests"} <= set(COMMANDS)


def test_wrong_settings_stop_every_command(tmp_path: Path) -> None:
    for code, said in run_all(tmp_path, LTD_PUBLIC_READS="ture", DATABASE_URL="").values():
        assert code == 3
        assert re.fullmatch(r"LTD_PUBLIC_READS=ture: .*\nDATABASE_URL: empty\. .*\n", said)


def test_command_that_is_django_s_or_misspelt_fails_with_another_code_than_a_finding(
    tmp_path: Path,
) -> None:
    environment = ENVIRONMENT | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    schedule = {"LTD_SCHEDULE": "audit_bucket --bogus=1h"}
    for arguments, changes in (
        (["migrate"], schedule),
        (["migrate", "credentials", "0999"], {}),
        (["loaddata", "/dev/null"], {}),
        (["migarte"], {}),
    ):
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, env=environment | changes, cwd=ROOT, capture_output=True, check=False
        )
        assert done.returncode == 3, arguments


def test_database_out_of_reach_is_one_line_of_every_command(tmp_path: Path) -> None:
    found = run_all(tmp_path, DATABASE_URL="postgres://u:sekret@127.0.0.1:1/x")
    del found["check"], found["audit_bucket"]  # which asks for a profile first
    for code, said in found.values():
        assert code == 3
        line = r"(CommandError: )?DATABASE_URL: the database cannot be used .*refused.*\n"
        assert re.fullmatch(line, said)
        assert "sekret" not in said


def test_command_loads_no_page(tmp_path: Path) -> None:
    script = (
        "import contextlib, sys; from ltdkeeper.__main__ import main\n"
        "with contextlib.suppress(SystemExit): main(['manage.py', 'findings'])\n"
        "print({'ltdkeeper.urls', 'rest_framework.views'} & set(sys.modules))"
    )
    environment = ENVIRONMENT | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    command = [sys.executable, "-c", script]
    assert subprocess.check_output(command, env=environment, cwd=ROOT) == b"set()\n"


def audit(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "audit_sessions"],
        env=ENVIRONMENT | {"DATABASE_URL": url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def require_line(done: subprocess.CompletedProcess[str], said: str) -> None:
    assert (done.returncode, done.stdout) == (3, "")
    assert re.fullmatch(rf"CommandError: DATABASE_URL: .*{said}.*\n", done.stderr), done.stderr
    assert "sekret" not in done.stderr


def garbage(file: Path) -> None:
    file.write_bytes(b"no database" * 100)


def older(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE credentials_issuedsession (id integer)")


FILES = {
    "not migrated": (lambda _: None, "no such table.*Run: manage.py migrate"),
    "not migrated to the last": (older, "no such column.*Run: manage.py migrate"),
    "a directory": (Path.mkdir, "unable to open database file.*Example: DATABASE_URL="),
    "something else": (garbage, "file is not a database.*Example: DATABASE_URL="),
}


@pytest.mark.parametrize("case", FILES)
def test_sqlite_that_cannot_be_used_is_one_line(case: str, tmp_path: Path) -> None:
    make, said = FILES[case]
    make(tmp_path / "db.sqlite3")
    require_line(audit(f"sqlite:///{tmp_path / 'db.sqlite3'}"), said)


def error_of_postgresql(code: str, text: str) -> bytes:
    """PostgreSQL's ErrorResponse (its documentation: "Message Formats")."""
    fields = b"".join(
        kind + value.encode() + b"\0"
        for kind, value in ((b"S", "FATAL"), (b"V", "FATAL"), (b"C", code), (b"M", text))
    )
    return b"E" + (len(fields) + 5).to_bytes(4, "big") + fields + b"\0"


@pytest.fixture
def refusing() -> Iterator[int]:
    """The port of a server that refuses every login as PostgreSQL does."""
    refusal = error_of_postgresql("28P01", 'password authentication failed for user "u"')
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    if connection.recv(8).endswith(b"\x04\xd2\x16\x2f"):  # SSLRequest
                        connection.sendall(b"N")
                        connection.recv(1000)
                    connection.sendall(refusal)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.loopback
def test_wrong_password_is_one_line(refusing: int) -> None:
    done = audit(f"postgres://u:sekret@127.0.0.1:{refusing}/x?gssencmode=disable")
    require_line(done, "password authentication failed.*Example: DATABASE_URL=")


def test_help_needs_no_settings() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "help"],
        env={"PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
