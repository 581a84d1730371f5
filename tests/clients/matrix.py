"""The table of docs/reference/programs.rst, which the tests take their expectations from."""

import re
from dataclasses import dataclass, fields

from demo.processes import ROOT

PAGE = ROOT / "docs" / "reference" / "programs.rst"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One way to upload: the cells of its line, in the order of the table's columns.

    `ledger` has the delivery of each session that is issued meanwhile, `calls` how many requests
    the program makes to the service.
    """

    way: str
    version: str
    access: str
    credentials: str
    calls: str
    ledger: str
    stores: str

    @property
    def promised(self) -> tuple[int, list[str], int]:
        """Calls to the service, deliveries in the ledger, calls to STS: one for each,
        but for those where an identity that signs POSTs stands in."""
        deliveries = re.findall(r"``(\w+)``", self.ledger)
        sessions = len(deliveries) - self.ledger.count("(signer)")
        return int(self.calls.partition(" ")[0]), deliveries, sessions

    def runs_on(self, store: str) -> bool:
        """Whether the way is tried on `embedded` or `ceph`."""
        return self.stores == "both" or self.stores.lower() == store


def read_matrix() -> dict[str, Row]:
    """The rows by their first cell."""
    text = PAGE.read_text(encoding="utf-8")
    after = text.split(".. _matrix:", 1)[1].lstrip()
    table = re.split(r"\n\n(?=\S)", after, maxsplit=1)[0].split("\n   * - ")[1:]
    names = [field.name for field in fields(Row)]
    rows = {}
    for raw in table[1:]:
        cells = [" ".join(cell.split()) for cell in re.split(r"\n     - ", raw)]
        row = Row(**dict(zip(names, cells, strict=True)))
        rows[row.way] = row
    return rows
