"""`pytest -p tests.fuzz.plugin`, as `make fuzz` calls it: runs every test of this project that
tries inputs, and those alone, and prints how many each subject was tried with.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import pytest
from hypothesis import settings

from tests.fuzz.cases import EXAMPLES

cases: Counter[str] = Counter()
seconds: Counter[str] = Counter()
failures: Counter[str] = Counter()
running: str


def pytest_collection() -> None:
    """Before any test is imported, but after its conftest.py: what sets no number tries as many."""
    parent = settings.get_profile("patient")
    settings.register_profile("fuzzing", parent=parent, max_examples=EXAMPLES or 100, database=None)
    settings.load_profile("fuzzing")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[Any]) -> None:
    others = [item for item in items if not hasattr(item.obj, "hypothesis")]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
    for handle in {id(each): each for item in items if (each := item.obj.hypothesis)}.values():
        handle.inner_test = counted(handle.inner_test)


def counted(test: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(test)
    def count(*args: Any, **kwargs: Any) -> Any:
        cases[running] += 1
        return test(*args, **kwargs)

    return count


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    global running
    running, begin = item.location[0], time.monotonic()
    try:
        yield
    except BaseException:
        failures[running] += 1
        raise
    finally:
        seconds[running] += time.monotonic() - begin


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.write_sep("=", "inputs tried")
    for name, count in sorted(cases.items()):
        found = f"{failures[name]} FAILED" if failures[name] else "none failed"
        terminalreporter.write_line(f"{count:9,} {seconds[name]:5.0f} s  {found}  {name}")
    total = f"{sum(cases.values()):9,} {sum(seconds.values()):5.0f} s"
    terminalreporter.write_line(f"{total}  {sum(failures.values())} failed")
