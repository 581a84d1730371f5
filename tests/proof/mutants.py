"""`make mutants`: put bugs back, in a copy of the tree, and see the tests fail.

First the named ones (`named_bugs.py`), then all that mutmut makes of the pure modules. Exit code
1 when a named bug is not noticed, when fewer than 95 % are killed, or when a survivor is not
explained in `survivors.py`.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.proof.mutation import Mutant, run_mutmut
from tests.proof.named_bugs import NAMED_BUGS, Bug
from tests.proof.survivors import SURVIVORS
from tests.proof.tree import copied_tree

LEAST_PERCENT = 95.0
TESTS_FAILED = 1


def main() -> int:
    started = time.monotonic()
    with copied_tree() as tree:
        named = _put_back(tree)
    with copied_tree() as tree:
        made = _report(run_mutmut(tree))
    _say(f"{time.monotonic() - started:.0f} s")
    return 0 if named and made else 1


def _put_back(tree: Path) -> bool:
    """Try every named bug; whether all were noticed, and the tests pass without any."""
    judges = sorted({judge for bug in NAMED_BUGS.values() for judge in bug.judges})
    if _judge(tree, judges):
        _say("The tests fail without any bug.")
        return False
    killed = 0
    for name, bug in NAMED_BUGS.items():
        verdict = _try(tree, bug)
        killed += verdict == "killed"
        _say(f"  {verdict:9} {name}  ({bug.path})")
    _say(f"Named bugs: {killed} of {len(NAMED_BUGS)} killed.")
    return killed == len(NAMED_BUGS)


def _try(tree: Path, bug: Bug) -> str:
    path = tree / bug.path
    text = path.read_text()
    if text.count(bug.old) != 1:
        return "not found"
    path.write_text(text.replace(bug.old, bug.new))
    code = _judge(tree, bug.judges)
    path.write_text(text)
    return {0: "SURVIVED", TESTS_FAILED: "killed"}.get(code, f"broke ({code})")


def _judge(tree: Path, judges: Sequence[str]) -> int:
    """pytest's exit code; 1 means that tests failed."""
    options = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", "--no-header", "--tb=no"]
    command = [sys.executable, "-B", "-m", "pytest", *options, *judges]
    return subprocess.run(command, cwd=tree, capture_output=True, check=False).returncode


def _report(mutants: Sequence[Mutant]) -> bool:
    """Print what survived; whether enough were killed and each survivor is explained."""
    survivors = [mutant for mutant in mutants if not mutant.is_killed]
    for mutant in survivors:
        reason = SURVIVORS.get((mutant.function, mutant.put), "NOT EXPLAINED")
        _say(f"  survived  {mutant.function}: {mutant.put}\n            {reason}")
    killed = len(mutants) - len(survivors)
    percent = 100 * killed / len(mutants)
    _say(f"Mutants: {killed} of {len(mutants)} killed, {percent:.1f} %.")
    explained = all((each.function, each.put) in SURVIVORS for each in survivors)
    return explained and percent >= LEAST_PERCENT


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
