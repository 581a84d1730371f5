"""Puts named bugs back, each in a copy of the tree, and asks its judges; two at a time."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.proof.bugs.bug import Bug
from tests.proof.tree import copied_tree

AT_ONCE = 2
TESTS_FAILED = 1
FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)
# Loading schemathesis takes longer than most judges do.
LEFT_OUT = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:schemathesis")
JUDGING = ("-q", "-x", *LEFT_OUT, "--no-header", "--tb=no")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a bug. `test` is the first that failed, empty unless one did."""

    name: str
    outcome: str
    test: str = ""

    @property
    def is_killed(self) -> bool:
        return bool(self.test)


def failures_without_bugs(bugs: Mapping[str, Bug]) -> Verdict:
    """The judges of all bugs on the tree as it is: nothing may fail."""
    judges = sorted({judge for bug in bugs.values() for judge in bug.judges})
    with copied_tree() as tree:
        return _verdict("no bug", tree, judges)


def put_back(bugs: Mapping[str, Bug]) -> Iterator[Verdict]:
    """Every bug's verdict, as they are reached."""
    trees: SimpleQueue[Path] = SimpleQueue()

    def judge(name: str) -> Verdict:
        tree = trees.get()
        try:
            return _try(name, bugs[name], tree)
        finally:
            trees.put(tree)

    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            trees.put(stack.enter_context(copied_tree()))
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        # Left early, nothing more is begun.
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        for found in as_completed([pool.submit(judge, name) for name in bugs]):
            yield found.result()


def _try(name: str, bug: Bug, tree: Path) -> Verdict:
    path = tree / bug.path
    text = path.read_text(encoding="utf-8")
    if text.count(bug.old) != 1:
        return Verdict(name=name, outcome="not found")
    path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
    try:
        return _verdict(name, tree, bug.judges)
    finally:
        path.write_text(text, encoding="utf-8")


def _verdict(name: str, tree: Path, judges: Sequence[str]) -> Verdict:
    """Killed means that a test failed: one that could not even begin has judged nothing."""
    command = [sys.executable, "-B", "-m", "pytest", *JUDGING, "-rf", *judges]
    ran = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    failed = FAILED.search(ran.stdout)
    if ran.returncode == TESTS_FAILED and failed:
        return Verdict(name=name, outcome="killed", test=failed[1].removeprefix("tests/"))
    outcome = "SURVIVED" if ran.returncode == 0 else f"broke ({ran.returncode})"
    return Verdict(name=name, outcome=outcome)
