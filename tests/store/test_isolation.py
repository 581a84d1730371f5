"""`manage.py check_isolation` passes on every store that keeps builds apart."""

import json
from typing import Any

import pytest

from demo.service import Service


@pytest.fixture(scope="module")
def run(service: Service) -> Any:
    [run] = json.loads(service.manage("check_isolation", "--format", "json"))
    return run


def test_store_passes_the_check(run: Any) -> None:
    assert [line for line in run["lines"] if line["outcome"] != line["expected"]] == []
    assert run["passed"] is True


def test_every_call_of_a_passed_check_was_made(run: Any) -> None:
    outcomes = [line["outcome"] for line in run["lines"]]
    assert (outcomes.count("accepted"), outcomes.count("refused")) == (6, 12)
