"""Puts named bugs back, each in a copy of the tree, and asks its judges; two at a time."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from compileall import compile_dir
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from py_compile import PycInvalidationMode
from queue import SimpleQueue
from typing import Self

from tests.proof.bugs.bug import Bug
from tests.proof.judge import JUDGING
from tests.proof.tree import copied_tree

AT_ONCE = 2
TESTS_FAILED = 1
NO_BUG = "no bug"
FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)
NAMING = ("--no-header", "-rf")
PACKAGES = ("builds", "credentials", "demo", "ltdkeeper")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a bug. `test` is the first that failed, empty unless one did."""

    name: str
    outcome: str
    test: str = ""

    @property
    def is_killed(self) -> bool:
        return bool(self.test)


def put_back(bugs: Mapping[str, Bug]) -> Iterator[Verdict]:
    """Every bug's verdict, as they are reached, and that of all judges on the tree as it is."""
    free: SimpleQueue[Judge] = SimpleQueue()
    judges = sorted({each for bug in bugs.values() for each in bug.judges})

    def verdict(name: str) -> Verdict:
        judge = free.get()
        try:
            if name in bugs:
                return judge.verdict_on(name, bugs[name])
            return judge.verdict(name, judges)
        finally:
            free.put(judge)

    with ExitStack() as stack:
        for _ in range(AT_ONCE):
            free.put(stack.enter_context(Judge()))
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        # Left early, nothing more is begun.
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        for found in as_completed([pool.submit(verdict, name) for name in (NO_BUG, *bugs)]):
            yield found.result()


class Judge:
    """A copy of the tree, and a process that runs tests in it (`judge.py`)."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.tree = stack.enter_context(copied_tree())
            for package in PACKAGES:
                # Such a file is used while its source has the content that it was made from; by
                # default size and second of change would do, which a bug may share.
                compile_dir(
                    self.tree / package, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH
                )
            self._process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.proof.judge"],
                    cwd=self.tree, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )  # fmt: skip
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def verdict_on(self, name: str, bug: Bug) -> Verdict:
        path = self.tree / bug.path
        text = path.read_text(encoding="utf-8")
        if text.count(bug.old) != 1:
            return Verdict(name=name, outcome="not found")
        path.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
        try:
            return self.verdict(name, bug.judges)
        finally:
            path.write_text(text, encoding="utf-8")

    def verdict(self, name: str, judges: Sequence[str]) -> Verdict:
        """Killed means that a test failed: one that could not even begin has judged nothing."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps([*JUDGING, *NAMING, *judges]), file=self._process.stdin, flush=True)
        code, output = json.loads(self._process.stdout.readline())
        failed = FAILED.search(output)
        if code == TESTS_FAILED and failed:
            return Verdict(name=name, outcome="killed", test=failed[1].removeprefix("tests/"))
        return Verdict(name=name, outcome="SURVIVED" if code == 0 else f"broke ({code})")
