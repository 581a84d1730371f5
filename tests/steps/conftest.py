"""The service under its production server, a store that counts, and a hostile runner."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fake_store import FakeStore
from tests.faults.service import Service
from tests.shells import SHELLS, evaluated
from tests.steps.runner import hostile_environment, write_hostile_files

PROGRAM = Path(__file__).with_name("uploader_program.py")
REGISTER = """\
sh "$LTD_CALL" -K "$LTD_CURL" -d '{"git_refs": ["main"]}' \\
    "$LTD_HOST/products/$LTD_PRODUCT/builds/" > build.json
"""

Ask = Callable[[str], str]
Step = Callable[..., Any]


@pytest.fixture(scope="session")
def store() -> Iterator[FakeStore]:
    store = FakeStore()
    yield store
    store.behave()
    store.stop()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, store: FakeStore) -> Iterator[Service]:
    """Migrated, with a store and a client that has two products; running."""
    service = Service(tmp_path_factory.mktemp("service"), store.url)
    service.set_up()
    with service.running():
        product = {"slug": "handbook", "store": "default"}
        assert service.call("POST", "/products/", product, headers=service.headers).ok
        yield service


@pytest.fixture
def ask(service: Service) -> Ask:
    """The lines for a query."""

    def get(query: str) -> str:
        answer = service.call("GET", f"/token?{query}", headers=service.headers)
        assert answer.ok, answer.text
        return answer.text

    return get


@pytest.fixture
def run_step(tmp_path: Path) -> Step:
    """Evaluate lines in a shell of a runner whose keys and files all point elsewhere."""

    def run(lines: str, then: str, *, shell: str = "sh", **environment: str) -> Any:
        write_hostile_files(tmp_path)
        done = evaluated(
            SHELLS[shell],
            lines,
            folder=tmp_path,
            then=then,
            environment=hostile_environment(tmp_path) | environment,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done

    return run


def program(*arguments: str) -> str:
    """A command that runs the uploader's program."""
    return f"{sys.executable} {PROGRAM} {' '.join(arguments)}\n"
