"""SQL whose text is built once: for the statements that every request runs.

The ORM's compiler costs twenty times what the database does for a look-up by index (1.2 ms against
0.055 ms, measured). So the statements of the main path are texts, each beside the equivalent ORM
query, and tests compare the two on both databases. This module turns rows of such a statement into
instances, and an instance into a row.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, models, transaction
from django.db.models.base import ModelState

Row = TypeVar("Row", bound=models.Model)
Parameters = Sequence[Any] | Mapping[str, Any]
# What the ORM gives to the database as it is.
PLAIN = {str, int, bool, type(None)}
# Of PostgreSQL: a transaction of this one statement then commits without waiting for the disk.
WITHOUT_FLUSH = " FROM set_config('synchronous_commit', 'off', true)"


class Columns(Generic[Row]):
    """The columns of a model under an alias of a statement, and instances made of their values.

    `only` names the fields that are fetched; the others are deferred. The primary key must be
    among them.
    """

    def __init__(self, model: type[Row], alias: str, *, only: Iterable[str] | None = None) -> None:
        wanted = set(only) if only is not None else None
        fields = [
            field for field in model._meta.concrete_fields if wanted is None or field.name in wanted
        ]
        self.model = model
        self.alias = alias
        self.names = [field.attname for field in fields]
        self.sql = ", ".join(f'{alias}."{field.column}"' for field in fields)
        self._key = next(place for place, field in enumerate(fields) if field.primary_key)
        self.fields = fields

    def __len__(self) -> int:
        return len(self.names)

    def instance(self, values: Sequence[Any], vendor: str) -> Row | None:
        """The instance of such values as the database gave them; None where a join found none."""
        if values[self._key] is None:
            return None
        found = dict(zip(self.names, values, strict=True))
        for name, convert in _conversions(self, vendor):
            if found[name] is not None:
                found[name] = convert(found[name])
        instance = self.model.__new__(self.model)
        instance.__dict__ = {"_state": _loaded(), **found}
        return instance


def _loaded() -> ModelState:
    """As `Model.from_db` has it, which costs ten times this: it looks at each field anew, and
    calls whoever wants to know of new instances. Here nobody does.
    """
    state = ModelState()
    state.adding, state.db = False, DEFAULT_DB_ALIAS
    return state


@cache
def _conversions(columns: Columns[Any], _vendor: str) -> list[tuple[str, Callable[[Any], Any]]]:
    """What the ORM would do to each value that comes out of this database."""
    return [
        (field.attname, convert) for field in columns.fields for convert in _conversions_of(field)
    ]


def _conversions_of(field: Any) -> list[Callable[[Any], Any]]:
    if isinstance(field, models.DateTimeField) and connection.vendor == "sqlite":
        return [_utc]
    expression = field.get_col(field.model._meta.db_table)
    converters = (
        *connection.ops.get_db_converters(expression),
        *expression.get_db_converters(connection),
    )
    return [partial(_convert, convert, expression) for convert in converters]


def _utc(moment: datetime) -> datetime:
    """A time as SQLite gives it, without the zone, which is UTC."""
    return moment.replace(tzinfo=UTC)


def _convert(convert: Callable[..., Any], expression: Any, value: Any) -> Any:
    return convert(value, expression, connection)


def relate(instance: models.Model, **related: models.Model | None) -> None:
    """Set what foreign keys point to, as `select_related` does. An assignment would ask a router
    each time whether the two may be related.
    """
    instance._state.fields_cache.update(related)  # noqa: SLF001 - as Django's related fields do


def fetch(sql: str, parameters: Parameters, *parts: Columns[Any]) -> list[Any] | None:
    """The first row: an instance (or None) for each part, then what other columns it has."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
    return None if row is None else _instances(row, parts)


def fetch_all(sql: str, parameters: Parameters, *parts: Columns[Any]) -> list[list[Any]]:
    """All rows, each as `fetch` gives the first."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [_instances(row, parts) for row in cursor.fetchall()]


def _instances(row: Sequence[Any], parts: Sequence[Columns[Any]]) -> list[Any]:
    found: list[Any] = []
    begin, vendor = 0, connection.vendor
    for part in parts:
        found.append(part.instance(row[begin : begin + len(part)], vendor))
        begin += len(part)
    return [*found, *row[begin:]]


def locking(*aliases: str) -> str:
    """What locks rows until the transaction ends, in this order, as an UPDATE of them would.

    Empty on SQLite, where `BEGIN IMMEDIATE` has locked the database already.
    """
    if not connection.features.has_select_for_no_key_update:
        return ""
    return f" FOR NO KEY UPDATE OF {', '.join(aliases)}"


def around_lock() -> AbstractContextManager[Any]:
    """What one statement that locks needs around it: on SQLite a transaction, since only that
    waits for whoever writes; elsewhere nothing.
    """
    if connection.features.has_select_for_no_key_update:
        return nullcontext()
    return transaction.atomic(durable=True)


class Condition(NamedTuple):
    """A SELECT that finds a row while something holds, and locks what that rests on."""

    sql: str
    parameters: Mapping[str, Any]


def insert(
    instance: models.Model,
    *,
    unless_taken: bool = False,
    provided: Condition | None = None,
    source: str = "",
) -> bool:
    """Insert a new instance, as `save(force_insert=True)` does without its signals.

    With `unless_taken` a row that a unique index refuses is left out, and so is any row where the
    condition does not hold: the response is False. An automatic primary key is set on the instance.
    Raises IntegrityError for anything else that the database refuses.
    """
    sql, more = provided or ("", {})
    text, fields = _insertion(type(instance), sql, unless_taken=unless_taken, source=source)
    values = {
        f"new_{field.attname}": _prepared(field, field.pre_save(instance, add=True))
        for field in fields
    }
    with connection.cursor() as cursor:
        cursor.execute(text, {**values, **more})
        if not _is_automatic(instance._meta.pk):
            is_inserted = bool(cursor.rowcount)
        elif is_inserted := (row := cursor.fetchone()) is not None:
            instance.pk = row[0]
    if is_inserted:
        instance._state.adding = False  # noqa: SLF001 - as Model.save() does
        instance._state.db = connection.alias  # noqa: SLF001
    return is_inserted


def insert_and_commit(instance: models.Model, *, provided: Condition | None = None) -> bool:
    """`insert` in a transaction of its own. Raises RuntimeError inside another one.

    A statement that stands alone is a transaction: nothing has to be sent before and after it.
    Every process sees the row, but the commit does not wait for the disk. The next commit that
    does takes it along, since a log is written in order: a power cut before that loses the row.
    """
    if connection.in_atomic_block:
        with transaction.atomic(durable=True):
            return insert(instance, provided=provided)
    if connection.vendor == "postgresql":
        return insert(instance, provided=provided, source=WITHOUT_FLUSH)
    with connection.without_flush():  # type: ignore[attr-defined]
        return insert(instance, provided=provided)


def _prepared(field: Any, value: Any) -> Any:
    """A value as the database takes it. Text, numbers and keys already are, but for JSON."""
    if type(value) in PLAIN and not isinstance(field, models.JSONField):
        return value
    return field.get_db_prep_save(value, connection)


def _is_automatic(key: Any) -> bool:
    return isinstance(key, models.AutoField)


@lru_cache(maxsize=256)
def _insertion(
    model: type[models.Model], provided: str, *, unless_taken: bool, source: str
) -> tuple[str, list[Any]]:
    meta = model._meta
    fields = [field for field in meta.concrete_fields if not _is_automatic(field)]
    columns = ", ".join(f'"{field.column}"' for field in fields)
    values = ", ".join(f"%(new_{field.attname})s" for field in fields)
    # "WHERE true": without it SQLite would take the ON of ON CONFLICT for a join's.
    condition = f"EXISTS ({provided})" if provided else "true"
    conflict = " ON CONFLICT DO NOTHING" if unless_taken else ""
    # On SQLite a statement that returns something ends, and commits, only when that was fetched.
    key = f' RETURNING "{meta.pk.column}"' if _is_automatic(meta.pk) else ""
    row = f"SELECT {values}{source} WHERE {condition}"
    text = f'INSERT INTO "{meta.db_table}" ({columns}) {row}{conflict}{key}'
    return text, fields


def commit_with_next() -> None:
    """The next statement is the last of its transaction: after it the database need not be asked
    again to commit, where it can do both at once (`ltdkeeper/postgresql`).
    """
    if hasattr(connection, "commit_with_next"):
        connection.commit_with_next()


def update(
    instance: models.Model,
    names: tuple[str, ...],
    *,
    provided: Condition | None = None,
    **only_if: Any,
) -> bool:
    """Write some fields of an instance to its row, if the row still has these values.

    False where it has not, or is gone, or where the condition does not hold: that is looked at in
    the same statement, so that nothing has to be sent to begin and to commit a transaction. Values
    in `only_if` are as the column holds them.
    """
    sql, more = provided or ("", {})
    text, fields = _update(type(instance), names, tuple(only_if), sql)
    values = {
        f"new_{field.attname}": _prepared(field, getattr(instance, field.attname))
        for field in fields
    }
    with connection.cursor() as cursor:
        cursor.execute(text, {**values, "key": instance.pk, **only_if, **more})
        return bool(cursor.rowcount)


@lru_cache(maxsize=256)
def _update(
    model: type[models.Model], names: tuple[str, ...], conditions: tuple[str, ...], provided: str
) -> tuple[str, list[Any]]:
    meta = model._meta
    fields: list[Any] = [meta.get_field(name) for name in names]
    assigned = ", ".join(f'"{field.column}" = %(new_{field.attname})s' for field in fields)
    columns: list[Any] = [meta.get_field(name) for name in conditions]
    held = "".join(f' AND "{field.column}" = %({field.attname})s' for field in columns)
    held += f" AND EXISTS ({provided})" if provided else ""
    text = f'UPDATE "{meta.db_table}" SET {assigned} WHERE "{meta.pk.column}" = %(key)s{held}'  # noqa: S608 - as above
    return text, fields
