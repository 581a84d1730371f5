"""Old rows of the ledger: policies are replaced by what restores them, rows exported and deleted.

Both walk the primary key, which is a time, in short transactions during traffic, and continue
where a run was killed. A row is deleted only if a finished export contains it whose checksum has
just been compared.
"""

import gzip
import hashlib
import os
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from django.db.models import F, Func, TextField, Value

from credentials.errors import ExportUnusable
from credentials.models import IssuedSession, LedgerExport, PolicyTemplate
from credentials.models.sessions import IssuedSessionQuerySet
from credentials.operations.figures import count_missing_hours, hour_of, rolled_up_until
from credentials.rules.policy import BUCKET_MARK, ROOT_MARK, fill_template

# Rows are read, changed and deleted so many at a time.
BATCH = 500
COLUMNS = [field.attname for field in IssuedSession._meta.concrete_fields]


# Policies of sessions that are over.


class Sha256(Func):
    """In hexadecimal. Django's own function needs an extension of PostgreSQL."""

    function = "SHA256"

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        template = "encode(sha256(convert_to(%(expressions)s, 'UTF8')), 'hex')"
        return self.as_sql(compiler, connection, template=template)


def compact_policies(*, before: datetime) -> Iterator[tuple[int, int]]:
    """Replace policies by their SHA-256 and a template; yields of some rows how many were replaced
    and how many were not, since their text is of another form or would not be remade exactly.
    """
    rows, last = IssuedSession.objects.over(before).exclude(policy=""), ""
    while keys := list(rows.filter(pk__gt=last).values_list("pk", flat=True)[:BATCH]):
        last = keys[-1]
        some = rows.filter(pk__range=(keys[0], last))
        replaced = sum(_compact(some, text) for text in _templates(some))
        yield replaced, len(keys) - replaced


MARKS: dict[str, str] = {"root": ROOT_MARK, "bucket_name": BUCKET_MARK}


def _templates(rows: IssuedSessionQuerySet) -> list[str]:
    """The texts of policies with marks instead of their names, each once."""
    marked: Any = F("policy")
    for name, mark in MARKS.items():
        marked = Func(marked, F(name), Value(mark), function="REPLACE", output_field=TextField())
    texts = rows.order_by().annotate(marked=marked).values_list("marked", flat=True).distinct()
    return [text for text in texts if all(mark in text for mark in MARKS.values())]


def _compact(rows: IssuedSessionQuerySet, text: str) -> int:
    """Replace the policies that are exactly what the template gives, by one statement."""
    template, _ = PolicyTemplate.objects.get_or_create(text=text)
    remade: Any = Value(text)
    for name, mark in reversed(MARKS.items()):
        remade = Func(remade, Value(mark), F(name), function="REPLACE", output_field=TextField())
    return rows.filter(policy=remade).update(
        policy_sha256=Sha256("policy"), policy_template=template, policy=""
    )


# Rows that are old enough to go.


def prunable_until(*, older_than: timedelta, now: datetime) -> datetime | None:
    """Up to when rows may go: whole hours that were rolled up. None: nothing was yet."""
    counted = rolled_up_until()
    return counted and min(hour_of(now - older_than), counted)


def exports_to_make(*, until: datetime, now: datetime) -> Iterator[LedgerExport]:
    """The export that a killed run left, and one of the rows that are over by now.

    Each must be written and deleted before the next is asked for: so no row is in two.
    """
    yield from LedgerExport.objects.undeleted()
    keys = IssuedSession.objects.over(until).values_list("pk", flat=True)
    if (first := keys.first()) and (last := keys.last()):
        export = LedgerExport(first_id=first, last_id=last, until=until, begun_at=now)
        export.file_name = f"sessions-{export.begins_at:%Y%m%dT%H}-{until:%Y%m%dT%H}.jsonl.gz"
        export.save()
        yield export


def write_export(*, export: LedgerExport, folder: Path, now: datetime) -> Iterator[int]:
    """Write the file and its checksum to disk, then note that they are there; yields how many rows
    came to it. An export that is finished is left as it is. Raises ExportUnusable where another
    file has its name.
    """
    if export.finished_at:
        return
    path = folder / export.file_name
    written = path.with_name(f"{path.name}.part")
    with written.open("wb") as file:
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as lines:
            for some in _rows_of(export):
                lines.write(b"".join(map(_line, some)))
                export.row_count += len(some)
                yield len(some)
        file.flush()
        os.fsync(file.fileno())
    export.sha256, export.finished_at = _checksum(written), now
    export.place = f"{socket.gethostname()}:{folder.resolve()}"
    if path.exists() and _checksum(path) != export.sha256:
        raise ExportUnusable(
            f"{path} exists and has other content, perhaps another service's. Move it, or name "
            "another directory."
        )
    written.rename(path)
    _write_to_disk(path.with_name(f"{path.name}.sha256"), f"{export.sha256}  {path.name}\n")
    export.save()


def _rows_of(export: LedgerExport) -> Iterator[list[dict[str, Any]]]:
    rows, last = IssuedSession.objects.over(export.until).filter(pk__lte=export.last_id), ""
    columns = rows.filter(pk__gte=export.first_id).values(
        *COLUMNS, template=F("policy_template__text")
    )
    while some := list(columns.filter(pk__gt=last)[:BATCH]):
        last = some[-1]["id"]
        yield some


def _line(row: dict[str, Any]) -> bytes:
    """The row, with the text of its policy: whoever reads it may have neither code nor database."""
    if template := row.pop("template"):
        names = {"bucket": row["bucket_name"], "root": row["root"]}
        row["policy"] = fill_template(template, **names, sha256=row["policy_sha256"])
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_to_disk(path: Path, text: str) -> None:
    """And with it whatever was renamed in its folder."""
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def delete_exported(*, export: LedgerExport, folder: Path, now: datetime) -> Iterator[int]:
    """Delete from the ledger the rows that the file has; yields how many went at a time.

    Their hours are counted first. Raises ExportUnusable where the file is not the finished one.
    """
    path = folder / export.file_name
    if not path.is_file() or _checksum(path) != export.sha256:
        raise ExportUnusable(
            f"{path} is missing or is not the file with the SHA-256 {export.sha256}, whose rows "
            "are still being deleted. Restore it, or name the directory that contains it."
        )
    with gzip.open(path) as lines:
        rows = map(orjson.loads, lines)
        while some := list(islice(rows, BATCH)):
            count_missing_hours(datetime.fromisoformat(row["requested_at"]) for row in some)
            IssuedSession.objects.filter(pk__in=[row["id"] for row in some]).delete()
            yield len(some)
    export.deleted_at = now
    export.save()
