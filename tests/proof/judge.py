"""Runs pytest in the current folder, once for each line of input, in a fork of itself.

A line holds pytest's arguments as JSON, an answer its exit code and output. Libraries are imported
once, those that need no settings. Nothing of the project is, so each fork reads the modules as
they are by then.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import NoReturn

import pytest

# Plugins that cost each fork time and judge nothing; the last one collects garbage twice.
UNUSED = ("cacheprovider", "pytest_cov", "randomly", "xdist", "unraisableexception")
# Whether a test fails, and not why; the same examples for every bug, and none written down.
JUDGING = (
    "-q", "-x", "--tb=no", "--assert=plain", "--hypothesis-seed=0", "--hypothesis-profile=judging",
    *(f"-pno:{name}" for name in UNUSED),
)  # fmt: skip
LIBRARIES = (
    "boto3", "cryptography.x509", "django.contrib.admin", "django.core.management", "django.forms",
    "django.db.backends.sqlite3.base", "django.test", "environ", "hypothesis", "jwt", "moto",
    "orjson", "prometheus_client", "psycopg_pool", "pytest_django", "redis", "segno", "structlog",
    "time_machine", "tqdm", "ulid", "whitenoise.base",
)  # fmt: skip
PROJECT = {"builds", "credentials", "demo", "ltdkeeper", "tests.settings"}


def main() -> None:
    for name in LIBRARIES:
        import_module(name)
    for line in sys.stdin:
        assert not PROJECT & set(sys.modules)
        sys.stdout.write(json.dumps(_run_forked(json.loads(line))) + "\n")
        sys.stdout.flush()


def _run_forked(arguments: list[str]) -> tuple[int, str]:
    with TemporaryFile("w+") as output, Path(os.devnull).open() as nothing:
        child = os.fork()
        if not child:
            for file, number in ((nothing, 0), (output, 1), (output, 2)):
                os.dup2(file.fileno(), number)
            _run(arguments)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read()


def _run(arguments: list[str]) -> NoReturn:
    code: int = pytest.ExitCode.INTERNAL_ERROR
    try:
        code = pytest.main(arguments)
        sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
