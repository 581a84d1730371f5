"""Django's PostgreSQL backend, with fewer messages to the server and quicker times.

In web processes, where statements are bound on the server, BEGIN goes out together with the first
statement of its transaction, and COMMIT may go out with the last one. Each message less is one
network round trip less for the caller, and two changes of process on a machine that is busy.
Commands, which may send several statements in one text, are left alone.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.utils import debug_transaction
from django.db.transaction import TransactionManagementError
from psycopg import Cursor
from psycopg.adapt import AdaptersMap, Loader


class UtcLoader(Loader):
    """Times with their zone. Django's own loader reads each with a regular expression."""

    timezone = UTC  # Django looks whether it is the connection's

    def load(self, data: Any) -> datetime:
        return datetime.fromisoformat(str(data, "ascii")).astimezone(UTC)


class DatabaseWrapper(base.DatabaseWrapper):
    """Sends BEGIN when there is something to send it with."""

    begin_is_due = False
    commit_is_due = False
    is_committed = False

    def get_connection_params(self) -> dict[str, Any]:
        """How to connect; nothing where the pool has done so already, which looks at none of it."""
        pools = self._connection_pools  # type: ignore[attr-defined]
        if self.alias in pools and self.settings_dict["OPTIONS"].get("pool"):
            return {}
        parameters: dict[str, Any] = super().get_connection_params()
        parameters["context"] = _with_utc(parameters["context"])
        return parameters

    @property
    def _binds_on_server(self) -> bool:
        return self.settings_dict["OPTIONS"].get("server_side_binding") is True

    def create_cursor(self, name: str | None = None) -> Any:
        if name is None and self._binds_on_server:
            return OneTripCursor(self)
        self.begin()
        return super().create_cursor(name)

    def begin(self) -> None:
        """Send BEGIN now, if it is due."""
        if self.begin_is_due:
            self.begin_is_due = False
            with self.wrap_database_errors:
                send(self.connection, "BEGIN")

    def commit_with_next(self) -> None:
        """Commit together with the next statement, unless the transaction began further out.

        Any other statement before the end of its `atomic` block is then refused.
        """
        self.commit_is_due = (
            self._binds_on_server and self.in_atomic_block and not self.savepoint_ids
        )

    def _start_transaction_under_autocommit(self) -> None:
        if not self._binds_on_server:
            self._set_autocommit(False)  # noqa: FBT003 - Django's
            return
        with debug_transaction(self, "BEGIN"):
            self.begin_is_due = True

    def _set_autocommit(self, autocommit: bool) -> None:  # noqa: FBT001 - Django's
        if self.connection.autocommit is not autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]

    def _commit(self) -> None:
        self._forget_transaction()
        super()._commit()  # type: ignore[misc]

    def _rollback(self) -> None:
        self._forget_transaction()
        super()._rollback()  # type: ignore[misc]

    def _close(self) -> None:
        self._forget_transaction()
        super()._close()  # type: ignore[misc]

    def _forget_transaction(self) -> None:
        self.begin_is_due = self.commit_is_due = self.is_committed = False


@cache
def _with_utc(adapters: AdaptersMap) -> AdaptersMap:
    context = AdaptersMap(adapters)
    context.register_loader("timestamptz", UtcLoader)
    return context


def send(connection: Any, text: str) -> None:
    Cursor(connection).execute(text, prepare=False)


class OneTripCursor(Cursor[Any]):
    """Sends BEGIN and COMMIT, where they are due, with its own statement, and waits once."""

    def __init__(self, wrapper: DatabaseWrapper) -> None:
        super().__init__(wrapper.connection)
        self.wrapper = wrapper

    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        wrapper = self.wrapper
        if wrapper.is_committed:
            raise TransactionManagementError("the transaction ended with the statement before")
        if params is None:  # perhaps several statements, which only go alone
            wrapper.begin()
        begins, commits = wrapper.begin_is_due, wrapper.commit_is_due
        if not (begins or commits):
            return super().execute(query, params, **options)
        wrapper.begin_is_due = wrapper.commit_is_due = False
        with self.connection.pipeline():
            if begins:
                send(self.connection, "BEGIN")
            super().execute(query, params, **options)
            if commits:
                send(self.connection, "COMMIT")
        wrapper.is_committed = commits
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> Any:
        self.wrapper.begin()
        return super().executemany(query, params_seq, **options)
