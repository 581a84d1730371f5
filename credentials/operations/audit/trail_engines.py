"""Records of CloudTrail chosen by Amazon Athena or Apache Spark, from logs of any size.

One query in Athena's dialect, `cloudtrail.sql`, leaves what may be about us; Spark runs a
translation of it. What its rows mean is decided here, as for files.
"""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Raw

from credentials.operations.audit.trail_coverage import LATE
from credentials.rules.cloudtrail import Identity, Record, Watched, moment
from credentials.rules.principals import name_of
from credentials.vending.store_errors import CALL_FAILED

SQL = (Path(__file__).parent / "cloudtrail.sql").read_text()
TABLE = "cloudtrail_logs"
# Athena's own limits for a parameter, and by default for the time of a query (it may wait before).
LONGEST_PARAMETER, MOST_SECONDS = 1024, timedelta(hours=1).total_seconds()
POLL_SECONDS = 2
# How Spark finds the columns of Athena's table in the files. It parses no other members.
IDENTITY = ("type", "principalId", "arn", "accessKeyId", "invokedBy")
MEMBERS = (
    *("eventID", "sharedEventID", "eventTime", "eventSource", "eventName", "sourceIPAddress"),
    *("errorCode", "errorMessage", "recipientAccountId", "requestParameters", "responseElements"),
)
_identity = ", ".join(f"{name}: string" for name in IDENTITY)
_members = ", ".join(f"{name}: string" for name in MEMBERS)
SCHEMA = f"Records array<struct<{_members}, userIdentity: struct<{_identity}>>>"


class QueryFailed(Exception):
    """A sentence about why there are no rows."""


class Row(NamedTuple):
    """The columns of the query."""

    eventid: str | None
    sharedeventid: str | None
    eventtime: str | None
    eventsource: str | None
    eventname: str | None
    identitytype: str | None
    principalid: str | None
    arn: str | None
    accesskeyid: str | None
    invokedby: str | None
    sourceipaddress: str | None
    errorcode: str | None
    errormessage: str | None
    recipientaccountid: str | None
    requestparameters: str | None
    issuedkeyid: str | None

    def record(self) -> Record:
        return Record(
            event_id=self.eventid or "",
            shared_event_id=self.sharedeventid,
            event_time=self.eventtime or "",
            event_source=self.eventsource or "",
            event_name=self.eventname or "",
            user_identity=Identity(
                type=self.identitytype,
                principal_id=self.principalid,
                arn=self.arn,
                access_key_id=self.accesskeyid,
                invoked_by=self.invokedby,
            ),
            source_ip_address=self.sourceipaddress,
            error_code=self.errorcode,
            error_message=self.errormessage,
            recipient_account_id=self.recipientaccountid,
            request_parameters=Raw((self.requestparameters or "null").encode()),
            response_elements=Raw(
                msgspec.json.encode({"credentials": {"accessKeyId": self.issuedkeyid}})
            ),
        )


class Engine(Protocol):
    """What runs the query. `name` is what it is known by, from one run to the next."""

    @property
    def name(self) -> str: ...

    def rows(self, parameters: Sequence[str]) -> Iterator[Row]: ...


def parameters_of(watched: Watched, *, since: datetime, until: datetime) -> list[str]:
    """The values of the query's question marks. Logs are delivered later than their events."""
    arns = [*watched.roles.values(), *watched.policy_arns]
    names = {name_of(arn) for arn in arns} | watched.buckets
    days = [f"{day:%Y/%m/%d}" for day in (since, until + LATE)]
    return [*days, moment(since), moment(until), " ".join(sorted(names))]


@dataclass(frozen=True, kw_only=True)
class Athena:
    """A table in Athena; `progress` gets the bytes that were scanned until then.

    Rows are fetched a page of 1,000 at a time, not from the file that Athena writes: that has no
    difference between nothing and an empty text once Python's csv has read it, and would need the
    right to read it under whatever address the workgroup chose.
    """

    client: Any
    table: str
    workgroup: str
    results: str
    progress: Callable[[int], None]

    @property
    def name(self) -> str:
        return f"athena:{self.table}"

    def rows(self, parameters: Sequence[str]) -> Iterator[Row]:
        """Raises QueryFailed and what botocore raises. A query that is not waited for is stopped,
        since what it scans costs money.
        """
        query = self._start([_quoted(each) for each in parameters])
        try:
            self._wait_for(query)
        except BaseException:
            with suppress(*CALL_FAILED):
                self.client.stop_query_execution(QueryExecutionId=query)
            raise
        pages = self.client.get_paginator("get_query_results").paginate(QueryExecutionId=query)
        rows = (row["Data"] for page in pages for row in page["ResultSet"]["Rows"])
        for data in islice(rows, 1, None):  # the first one has the names of the columns
            yield Row(*(each.get("VarCharValue") for each in data))

    def _start(self, parameters: list[str]) -> str:
        if max(map(len, parameters)) > LONGEST_PARAMETER:
            raise QueryFailed(
                "The names of all stores' roles, policies and buckets are longer together than "
                f"the {LONGEST_PARAMETER} characters that Athena takes."
            )
        database, table = self.table.split(".")
        place = {"ResultConfiguration": {"OutputLocation": self.results}} if self.results else {}
        started = self.client.start_query_execution(
            QueryString=SQL.replace(f"FROM {TABLE}", f'FROM "{database}"."{table}"'),
            ExecutionParameters=parameters,
            WorkGroup=self.workgroup,
            **place,
        )
        return str(started["QueryExecutionId"])

    def _wait_for(self, query: str) -> None:
        limit = monotonic() + MOST_SECONDS
        while True:
            found = self.client.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            self.progress(found.get("Statistics", {}).get("DataScannedInBytes", 0))
            state = found["Status"]["State"]
            if state == "SUCCEEDED":
                return
            if state in {"FAILED", "CANCELLED"}:
                # Of the reason the code alone: the rest may be text of a log.
                reason = found["Status"].get("StateChangeReason", "")
                code = re.match(r"[A-Z][A-Z_]+(?=:|$)", reason)
                why = f" ({code[0]})" if code else ""
                raise QueryFailed(f"Athena ended the query {query} as {state}{why}.")
            if monotonic() > limit:
                raise QueryFailed(f"The query {query} took longer than {MOST_SECONDS:.0f} s.")
            sleep(POLL_SECONDS)


def _quoted(text: str) -> str:
    """A text as Athena takes one in place of a question mark."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True, kw_only=True)
class Spark:
    """Log files in a directory, or wherever this Spark can read, on the master of that address."""

    master: str
    source: str

    @property
    def name(self) -> str:
        return f"spark:{self.source}"

    def rows(self, parameters: Sequence[str]) -> Iterator[Row]:
        """Raises QueryFailed."""
        try:
            from py4j.protocol import Py4JError  # noqa: PLC0415 - Spark is installed by few
            from pyspark.errors import PySparkException  # noqa: PLC0415
            from pyspark.sql import SparkSession  # noqa: PLC0415
        except ImportError as err:
            raise QueryFailed(
                "Spark is not installed: pip install 'ltdkeeper[spark]', or in a clone "
                "-r requirements-spark.txt."
            ) from err
        logging.getLogger("py4j").setLevel(logging.WARNING)  # it tells of each connection
        builder = SparkSession.builder.master(self.master).appName("ltdkeeper audit_cloudtrail")
        spark = None
        try:
            # Without partial results no error has a part of a record in it.
            spark = builder.config("spark.sql.json.enablePartialResults", "false").getOrCreate()
            spark.sparkContext.setLogLevel("OFF")
            for row in self._query(spark, parameters).toLocalIterator():
                yield Row(*row)
        except (PySparkException, Py4JError) as err:
            why = getattr(err, "getCondition", lambda: None)() or type(err).__name__
            raise QueryFailed(f"Spark could not read the logs: {why}.") from err
        finally:
            if spark:
                spark.stop()

    def _query(self, spark: Any, parameters: Sequence[str]) -> Any:
        """A file that is no JSON fails the query: to leave it out would hide what it has."""
        import sqlglot  # noqa: PLC0415

        files = spark.read.schema(SCHEMA).json(
            self.source,
            multiLine=True,
            mode="FAILFAST",
            recursiveFileLookup=True,
            pathGlobFilter="*.json.gz",
        )
        # The day of delivery is in Athena's partitions alone; that of the event bounds it here.
        records = files.selectExpr("inline(Records)").selectExpr(
            "*", "translate(left(eventTime, 10), '-', '/') AS timestamp"
        )
        records.createOrReplaceTempView(TABLE)
        translated = sqlglot.transpile(SQL, read="athena", write="spark")[0]
        return spark.sql(translated, args=list(parameters))
