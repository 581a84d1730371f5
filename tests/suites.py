"""Suites that start servers and take their time: part of a run when a store is named, or when they
are asked for by their folder.
"""

from pathlib import Path

import pytest

from tests.store.started import is_store_named


def leave_out_unless_asked(config: pytest.Config, items: list[pytest.Item], folder: Path) -> None:
    """Allow a folder's tests their sockets, and deselect them in a run of all tests."""
    suite = [item for item in items if folder in item.path.parents]
    for item in suite:
        item.add_marker(pytest.mark.loopback)
    if suite and not is_store_named() and not any(_is_in(folder, each) for each in config.args):
        config.hook.pytest_deselected(items=suite)
        items[:] = [item for item in items if item not in suite]


def _is_in(folder: Path, argument: str) -> bool:
    path = Path(argument.partition("::")[0]).resolve()
    return path == folder or folder in path.parents
