"""`make mutants`: put bugs back, in a copy of the tree, and see the tests fail.

First the named ones (`named_bugs.py`), then all that mutmut makes of the pure modules. Exit code
1 when a named bug is not noticed, when fewer than 95 % are killed, when a survivor is not
explained in `survivors.py`, or an explanation there is of no survivor.
"""

import os
import sys
import time
from collections.abc import Mapping, Sequence

from tqdm import tqdm

from tests.proof.bugs.bug import Bug
from tests.proof.mutation import HUNG, Mutant, run_mutmut
from tests.proof.named_bugs import NAMED_BUGS
from tests.proof.pure import mutated_paths, path_of
from tests.proof.putting_back import NO_BUG, put_back
from tests.proof.survivors import SURVIVORS
from tests.proof.tree import ROOT, copied_tree

LEAST_PERCENT = 95.0
# Of the bugs and of the modules, which part of how many: "1/2" is every other, from the first on.
NUMBER, PARTS = map(int, os.environ.get("MUTANTS", "1/1").split("/"))


def main() -> int:
    if not 1 <= NUMBER <= PARTS:
        sys.exit("MUTANTS is a part of how many, such as 1/2.")
    started = time.monotonic()
    named = _named({name: NAMED_BUGS[name] for name in _part(list(NAMED_BUGS))})
    paths = _part(sorted(mutated_paths(), key=lambda path: (ROOT / path).stat().st_size))
    made = _report(_mutants(paths), paths)
    _say(f"{time.monotonic() - started:.0f} s")
    return 0 if named and made else 1


def _part(names: list[str]) -> list[str]:
    return names[NUMBER - 1 :: PARTS]


def _named(bugs: Mapping[str, Bug]) -> bool:
    """Try every bug; whether all were noticed, and the tests pass without any."""
    killed, passes = 0, False
    for verdict in tqdm(put_back(bugs), total=len(bugs) + 1, disable=None, unit="bug"):
        if verdict.name == NO_BUG:
            passes = verdict.outcome == "SURVIVED"
            if not passes:
                _say(f"Without any bug the tests do not pass: {verdict.test or verdict.outcome}")
            continue
        killed += verdict.is_killed
        by = f", by {verdict.test}" if verdict.test else f"  ({bugs[verdict.name].path})"
        _say(f"  {verdict.outcome:9} {verdict.name}{by}")
    _say(f"Named bugs: {killed} of {len(bugs)} killed.")
    return passes and killed == len(bugs)


def _mutants(paths: list[str]) -> Sequence[Mutant]:
    with copied_tree() as tree, tqdm(disable=None, unit="mutant") as bar:

        def step(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        return run_mutmut(tree, paths, step, explained=SURVIVORS.keys())


def _report(mutants: Sequence[Mutant], paths: list[str]) -> bool:
    """Print what survived, and which of it nobody has explained yet; whether enough were killed."""
    explained = {each for each in SURVIVORS if path_of(each[0].rpartition(".x")[0]) in paths}
    survivors = [mutant for mutant in mutants if not mutant.is_killed]
    for each in survivors:
        reason = SURVIVORS.get((each.function, each.put), "NOT EXPLAINED")
        _say(f"  {each.outcome:9} {each.function}: {each.put}\n            {reason}")
    alive = {(each.function, each.put) for each in survivors}
    for function, put in explained - alive:
        _say(f"  EXPLAINED, but no survivor: {function}: {put}")
    killed = len(mutants) - len(survivors)
    percent = 100 * killed / len(mutants)
    hung = sum(each.outcome == HUNG for each in mutants)
    _say(f"Mutants: {killed} of {len(mutants)} killed, {percent:.1f} %; {hung} of them hung.")
    _say(f"{len(alive - explained)} of the survivors are not explained.")
    return alive == explained and percent >= LEAST_PERCENT


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
