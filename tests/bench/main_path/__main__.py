"""`python -m tests.bench.main_path`, or `make bench`: a table, and the same as JSON.

On SQLite, and where `pg_virtualenv` exists on PostgreSQL with `fsync` on. The older tree that
figures are compared with comes out of git (`--before`); without one, or where the clone is shallow,
there is nothing to compare with.
"""

import argparse
import csv
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench.main_path.measures import MEASURES, Bench, Row, Side, latency_of_sts, memory
from tests.bench.main_path.programs import ROOT, Keeper, Sts, Talker
from tests.released import unpack

# The last state before the main path was made anew.
BEFORE = "e6fb823d1e1ac7d518fd3e11d4d681fb605bf01b"
DATABASES = ("sqlite", "postgresql")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=DATABASES, help="only on that one")
    parser.add_argument("--before", default=BEFORE, help="a commit, or nothing: %(default)s")
    parser.add_argument("--only", default="", help="measures whose name contains this")
    parser.add_argument("--issues", type=int, default=3000, help="for the growth of memory")
    parser.add_argument("--json", type=Path, default=ROOT / ".build" / "bench.json")
    parser.add_argument(
        "--csv", type=Path, help="the table as docs/explanation/performance.rst shows it"
    )
    options = parser.parse_args()
    databases = [options.database] if options.database else _available()
    document: dict[str, Any] = {"machine": _machine(), "before": options.before, "rows": {}}
    for database in databases:
        if database == "postgresql" and "PGPORT" not in os.environ:
            document["rows"][database] = _inside_postgresql(sys.argv[1:])
            continue
        _say(f"\n{database}, {_machine()}")
        rows = [_shown(row) for row in _measure(database, options)]
        document["rows"][database] = [asdict(row) for row in rows]
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.csv:
        _write_table(options.csv, document["rows"])


def _write_table(path: Path, rows: dict[str, list[dict[str, Any]]]) -> None:
    """One line a measure: its goal, then for each database today's figure after the older one."""
    figures = {(row["what"], database): _figure(row) for database in rows for row in rows[database]}
    goals = {row["what"]: row["goal"] for found in rows.values() for row in found}
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["what", *rows, "to reach"])
        for what, goal in goals.items():
            table.writerow([what, *(figures.get((what, name), "") for name in rows), goal])


def _figure(row: dict[str, Any]) -> str:
    unit = "" if row["unit"] == "" else f" {row['unit']}"
    before = "" if row["before"] is None else f"{row['before']:.1f} → "
    note = f" ({row['note']})" if row["note"] else ""
    return f"{before}{row['value']:.1f}{unit}{note}"


def _available() -> list[str]:
    return [name for name in DATABASES if name == "sqlite" or shutil.which("pg_virtualenv")]


def _inside_postgresql(arguments: list[str]) -> list[dict[str, Any]]:
    """The same program again with a server of its own, which `pg_virtualenv` ends with it."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        program = [sys.executable, "-m", "tests.bench.main_path", *arguments]
        command = ["pg_virtualenv", "-o", "fsync=on", "-o", "synchronous_commit=on", *program]
        command += ["--database", "postgresql", "--json", file.name]
        subprocess.run(command, check=True, cwd=ROOT)
        return list(json.loads(Path(file.name).read_text())["rows"]["postgresql"])


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all measures on one database share."""

    folder: Path
    keepers: dict[str, Keeper]
    sts: Sts
    load: Talker
    bare: Talker

    @contextmanager
    def bench(self, *, threads: int) -> Iterator[Bench]:
        """The service of each tree, running with that many threads a worker."""
        with ExitStack() as running:
            sides: dict[str, Side] = {}
            for name, keeper in self.keepers.items():
                running.enter_context(keeper.running(threads=threads))
                sides[name] = Side(keeper, self.load)
            yield Bench(
                now=sides["now"],
                before=sides.get("before"),
                sts=self.sts,
                bare=self.bare,
                folder=self.folder,
            )


def _measure(database: str, options: argparse.Namespace) -> Iterator[Row]:
    with _surroundings(database, options.before) as around:
        if options.only in "latency_of_sts":  # first, where nothing has been issued yet
            with around.bench(threads=16) as bench:
                yield from latency_of_sts(bench)
        with around.bench(threads=8) as bench:
            for measure in MEASURES:
                if options.only in measure.__name__:
                    yield from measure(bench)
            if options.only in "memory":
                yield from memory(bench, issues=options.issues)


@contextmanager
def _surroundings(database: str, before: str) -> Iterator[Surroundings]:
    build = ROOT / ".build"
    build.mkdir(exist_ok=True)
    with ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="bench-", dir=build)
        folder = Path(stack.enter_context(made))
        trees = {"now": ROOT}
        if tree := _older_tree(before, folder / "before"):
            trees["before"] = tree
        sts, load, bare = Sts(), Talker("load.py"), Talker("bare_calls.py")
        for program in (sts, load, bare):
            stack.callback(program.stop)

        urls = {name: _new_database(database, name, folder) for name in trees}

        def set_up(name: str) -> Keeper:
            log = folder / f"{name}.log"
            return Keeper(tree=trees[name], database_url=urls[name], sts_url=sts.url, log=log)

        with ThreadPoolExecutor() as executor:
            keepers = dict(zip(trees, executor.map(set_up, trees), strict=True))
        yield Surroundings(folder=folder, keepers=keepers, sts=sts, load=load, bare=bare)


def _older_tree(commit: str, tree: Path) -> Path | None:
    """The files of a commit; None without one, and where the clone does not hold it."""
    if not commit:
        return None
    if unpack(commit, tree):
        return tree
    _say(f"There is no commit {commit} here: nothing is compared with it.")
    return None


def _new_database(kind: str, name: str, folder: Path) -> str:
    if kind == "sqlite":
        return f"sqlite:///{folder / name}.sqlite3"
    subprocess.run(["createdb", name], check=True)  # noqa: S607
    where = {name: os.environ[name] for name in ("PGUSER", "PGPASSWORD", "PGHOST", "PGPORT")}
    return "postgres://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/".format(**where) + name


def _machine() -> str:
    return f"{os.cpu_count()} processors, Python {platform.python_version()}"


def _shown(row: Row) -> Row:
    before = "" if row.before is None else f"{row.before:.1f}"
    value = f"{row.value:.1f} {row.unit}"
    _say(f"{row.what:<60}{before:>8}{value:>13}  {row.goal}{f' ({row.note})' if row.note else ''}")
    return row


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
