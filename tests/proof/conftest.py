"""The evaluators, one process of each for the whole run."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.proof.evaluators import SIMULATOR, SIMULATOR_PROGRAM, STORE, Evaluator


def needed(path: Path, made_by: str) -> None:
    """What `make proof` installs. There its absence is a failure, elsewhere a skip that says so."""
    if path.exists():
        return
    reason = f"{path.name} is not installed: `{made_by}` installs it"
    if os.environ.get("PROOF_COMPLETE"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluator]:
    """The embedded store's evaluator."""
    with Evaluator(STORE, log=tmp_path_factory.mktemp("store") / "log") as started:
        yield started


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluator]:
    """The second evaluator, a Node program."""
    needed(SIMULATOR_PROGRAM.parent / "node_modules", "make proof")
    with Evaluator(SIMULATOR, log=tmp_path_factory.mktemp("simulator") / "log") as started:
        yield started
