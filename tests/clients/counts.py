"""How often a program asked the service, and the service asked STS: seen from outside."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.clients.relay import Relay
from tests.store.stage import DATABASE

# What goes over the wire for every session, also for those that nobody gets.
ASSUME_ROLE = b"Action=AssumeRole&"
HEALTH = ("/livez", "/readyz")


@dataclass(kw_only=True)
class Counts:
    """Calls are the lines of the service's log; deliveries are those of the ledger's new
    rows, with the status where it is not `issued`."""

    calls: list[str] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)
    sts: int = 0

    @property
    def seen(self) -> tuple[int, list[str], int]:
        """To compare with what the documentation promises: `Row.promised`."""
        return len(self.calls), self.deliveries, self.sts


@dataclass(frozen=True, kw_only=True)
class Counter:
    """Counts at one service, whose files are in `folder`, and whose STS calls pass the relay."""

    folder: Path
    log: Path
    relay: Relay

    @contextmanager
    def counting(self) -> Iterator[Counts]:
        """Filled when the block ends, with what happened in it."""
        counts = Counts()
        log_size, rows, sts = self.log.stat().st_size, len(self._ledger()), self.relay.found.total()
        yield counts
        counts.calls = list(calls_in(self.log.read_bytes()[log_size:].decode()))
        added = self._ledger()[rows:]
        counts.deliveries = [
            delivery if status == "issued" else f"{delivery}: {status}"
            for delivery, status in added
        ]
        counts.sts = self.relay.found.total() - sts

    def _ledger(self) -> list[tuple[str, str]]:
        query = "SELECT delivery, status FROM credentials_issuedsession ORDER BY requested_at, id"
        with closing(sqlite3.connect(self.folder / DATABASE)) as database:
            return database.execute(query).fetchall()


def calls_in(log: str) -> Iterator[str]:
    """`METHOD /path` of every request in a log, health checks left out."""
    for line in log.splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            if event.get("event") == "request" and event["path"] not in HEALTH:
                yield f"{event['method']} {event['path']}"
