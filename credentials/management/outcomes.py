"""How commands tell what became of many builds: line by line, and as figures at the end."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import orjson
from django.core.management.base import OutputWrapper
from tqdm import tqdm

from credentials.closed_builds.walking import Outcome


@dataclass(kw_only=True)
class Totals:
    """What a run came to."""

    builds: int = 0
    objects: int = 0
    bytes: int = 0
    failed: int = 0

    def add(self, outcome: Outcome) -> None:
        self.builds += not outcome.failure
        self.failed += bool(outcome.failure)
        self.objects += outcome.objects
        self.bytes += outcome.bytes


def with_progress(outcomes: Iterable[Outcome], total: int) -> Iterator[Outcome]:
    """The same, with a bar on a terminal: `disable=None` is tqdm's word for nowhere else."""
    yield from tqdm(outcomes, total=total, unit="build", disable=None)


def tell(outcomes: Iterable[Outcome], out: OutputWrapper, *, is_json: bool) -> Totals:
    """Write failures as they come, in memory that does not grow with them; JSON has it all."""
    totals = Totals()
    if is_json:
        out.write('{"builds": [', ending="")
    for outcome in outcomes:
        if is_json:
            separator = "," if totals.builds + totals.failed else ""
            out.write(f"{separator}\n  {orjson.dumps(asdict(outcome)).decode()}", ending="")
        elif outcome.failure:
            out.write(f"{outcome.root}: {outcome.failure}")
        totals.add(outcome)
    if is_json:
        out.write(f'\n], "totals": {orjson.dumps(asdict(totals)).decode()}}}')
    return totals
