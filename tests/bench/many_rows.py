"""Fills an empty database with many sessions, builds and job tokens, by statements of its own."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Model
from django.utils import timezone

from builds.models import Build, Product, Store
from credentials.access.callers import Caller
from credentials.access.clients import (
    command_line_user,
    create_client,
    make_api_key,
    start_job_token,
)
from credentials.access.registrations import register_owned_build
from credentials.models import (
    AuditFinding,
    BuildOwner,
    Client,
    Delivery,
    IssuedSession,
    JobProduct,
    JobRun,
    JobToken,
    Refusal,
    Webhook,
    WebhookDelivery,
)
from credentials.operations.findings import Finding
from credentials.operations.isolation.checking import request_check
from credentials.operations.outbox import record_test_event
from credentials.operations.runs import recorded_run
from credentials.vending.scope import policy_for

CLIENTS, PRODUCTS = 40, 200
SPAN = timedelta(days=90)
# What the rows say of `n`, the number of a row, in SQL that both databases have.
DIGITS = "'0123456789abcdefghjkmnpqrstvwxyz'"


@dataclass(frozen=True)
class Dialect:
    """What the databases write differently."""

    series: str
    moment: str
    padded: str


POSTGRESQL = Dialect(
    series="generate_series(1, {count}) AS series(n)",
    moment="to_timestamp(({ms}) / 1000.0)",
    padded="lpad(CAST({n} AS text), {width}, '0')",
)
SQLITE = Dialect(
    series="(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count})"
    " SELECT n FROM s) AS series",
    moment="strftime('%Y-%m-%d %H:%M:%f', ({ms}) / 1000.0, 'unixepoch')",
    padded="printf('%0{width}d', {n})",
)


class Filler:
    """Copies of one row, each with some columns of its own, in one statement."""

    def __init__(self, now: datetime) -> None:
        self.dialect = POSTGRESQL if connection.vendor == "postgresql" else SQLITE
        self.now_ms = int(now.timestamp() * 1000)

    def copy(self, row: Model, count: int, **columns: str) -> None:
        """`count` copies; `columns` are SQL of `n`."""
        fields = row._meta.concrete_fields
        names = [
            field.column for field in fields if not field.primary_key or field.column in columns
        ]
        shown = [columns.get(name, f't."{name}"') for name in names]
        quoted = ", ".join(f'"{name}"' for name in names)
        series = self.dialect.series.format(count=count)
        pk = row._meta.pk.column
        key = f"'{row.pk}'" if isinstance(row.pk, str) else row.pk
        with connection.cursor() as cursor:
            cursor.execute(
                f'INSERT INTO "{row._meta.db_table}" ({quoted}) SELECT {", ".join(shown)} '  # noqa: S608 - columns of models
                f'FROM "{row._meta.db_table}" t, {series} WHERE t."{pk}" = {key}'
            )

    def ago(self, count: int) -> str:
        """Milliseconds since 1970 of row `n` of `count`: evenly over the span, the last one now."""
        step = int(SPAN.total_seconds() * 1000) // count
        return f"(CAST({self.now_ms} AS bigint) - ({count} - n) * CAST({step} AS bigint))"

    def moment(self, ms: str) -> str:
        return self.dialect.moment.format(ms=ms)

    def padded(self, number: str, width: int) -> str:
        return self.dialect.padded.format(n=number, width=width)

    def ulid(self, ms: str) -> str:
        digits = [
            f"substr({DIGITS}, CAST(1 + ({ms} / {32**place}) % 32 AS int), 1)"
            for place in range(9, -1, -1)
        ]
        return " || ".join([*digits, self.padded("n", 16)])


@dataclass(frozen=True, kw_only=True)
class Filled:
    """One row of each kind, of those in the middle."""

    session: IssuedSession
    build: Build
    job_token: JobToken
    client: Client
    quiet_client: Client
    product: Product


def fill(*, sessions: int, builds: int, job_tokens: int) -> Filled:
    """Many clients and products too; the last client has few sessions, and only old ones."""
    now = timezone.now()
    filler = Filler(now)
    limit_statements(is_limited=False)
    store = Store.objects.create(
        name="main", bucket="docs-bucket", role_arn="arn:aws:iam::123456789012:role/upload"
    )
    request_check(store=store, now=now).finish(passed=True)
    products = Product.objects.bulk_create(
        Product(slug=f"p{number}", store=store, surrogate_key="a" * 32)
        for number in range(PRODUCTS)
    )
    names = [f"ci-{number}" for number in range(CLIENTS + 1)]
    clients = [
        create_client(name=name, product_slugs=["p0"], may_create_products=False)[0]
        for name in names
    ]
    keys = [make_api_key(client=client, actor=command_line_user())[0] for client in clients]
    caller = Caller(client=clients[0], api_key=keys[0])
    build = register_owned_build(
        caller=caller,
        product=products[0],
        now=now,
        slug=None,
        git_refs=["main"],
        github_requester="",
    )
    token, _ = start_job_token(client=clients[0], products=[products[0]], now=now, api_key=keys[0])
    session = _session(build, clients[0], now)
    _copy_builds(filler, build, builds, products[0].pk)
    first_build = Build.objects.order_by("pk")[1].pk
    owner = BuildOwner.objects.get(build=build)
    filler.copy(
        owner,
        builds,
        build_id=f"{first_build - 1} + n",
        client_id=f"{clients[0].pk} + n % {CLIENTS}",
    )
    _copy_job_tokens(filler, token, job_tokens, clients[0].pk)
    first_token = JobToken.objects.order_by("pk")[1].pk
    filler.copy(
        JobProduct.objects.get(job_token=token),
        job_tokens,
        job_token_id=f"{first_token - 1} + n",
        product_id=f"{products[0].pk} + n % {PRODUCTS}",
        current_build_id="NULL",
    )
    few = f"CASE WHEN n <= {sessions // 50} AND n % 10 = 0 THEN {clients[-1].pk} ELSE"
    _copy_sessions(
        filler,
        session,
        sessions,
        build_id=f"{first_build} + n / 2 % {builds}",
        client_id=f"{few} {clients[0].pk} + n / 2 % {CLIENTS} END",
    )
    _copy_audits(filler, store, findings=sessions // 10, runs=sessions // 100)
    _copy_deliveries(filler, deliveries=builds // 4)
    _copy_refusals(filler, refusals=sessions // 20)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    filled = Filled(
        session=IssuedSession.objects.filter(status="issued", delivery="json")[sessions // 4],
        build=Build.objects.get(pk=first_build + builds // 2),
        job_token=JobToken.objects.get(pk=first_token + job_tokens // 2),
        client=clients[1],
        quiet_client=clients[-1],
        product=products[7],
    )
    limit_statements(is_limited=True)
    return filled


def limit_statements(*, is_limited: bool) -> None:
    """Whether a statement has to end within what a web process gives it."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout" if is_limited else "SET statement_timeout = 0")


def _session(build: Build, client: Client, now: datetime) -> IssuedSession:
    row = IssuedSession(
        status="issued",
        delivery="json",
        store=build.product.store,
        store_name="main",
        build=build,
        product_slug=build.product.slug,
        build_slug=build.slug,
        client=client,
        client_name=client.name,
        token_name="ltdk_0123456789ab",
        bucket_name="docs-bucket",
        root=build.root,
        policy=policy_for(build, Delivery.JSON),
        duration_seconds=1800,
        role_arn="arn:aws:iam::123456789012:role/upload",
        access_key_id="ASIAFIRST",
        assumed_role_id="AROAEXAMPLE:first",
        sts_request_id="first",
        caller_address="192.0.2.7",
        caller_ip_hex="c0000207",
        caller_agent="aws-cli/2",
        requested_at=now,
        completed_at=now,
        expires_at=now,
    )
    row.session_name = f"{row.pk}-p0"
    row.save(force_insert=True)
    return row


def _copy_builds(filler: Filler, build: Build, count: int, first_product: int) -> None:
    """Of ten, one is unfinished and one not counted; one of 70 is deleted; the last 50 are open."""
    registered = filler.ago(count)
    finished = f"n % 10 <> 0 AND n <= {count - 50}"
    moment = filler.moment(registered)
    filler.copy(
        build,
        count,
        slug="'b' || n",
        product_id=f"{first_product} + n % {PRODUCTS}",
        root=f"'p' || (n % {PRODUCTS}) || '/builds/b' || n",
        registered_at=moment,
        open_until=filler.moment(f"{registered} + 43200000"),
        finished_at=f"CASE WHEN {finished} THEN {moment} END",
        counted_at=f"CASE WHEN {finished} AND n % 10 <> 1 THEN {moment} END",
        deleted_at=f"CASE WHEN n % 70 = 3 THEN {moment} END",
        written_without_session="n % 1000 = 2",
    )


def _copy_job_tokens(filler: Filler, token: JobToken, count: int, first_client: int) -> None:
    created = filler.ago(count)
    filler.copy(
        token,
        count,
        client_id=f"{first_client} + n % {CLIENTS}",
        public_id=filler.padded("n", 12),
        secret_sha256=f"'{'0' * 50}' || {filler.padded('n', 14)}",
        created_at=filler.moment(created),
        expires_at=filler.moment(f"{created} + 21600000"),
        ended_at=f"CASE WHEN n % 3 <> 0 THEN {filler.moment(created)} END",
    )


def _copy_sessions(filler: Filler, row: IssuedSession, count: int, **columns: str) -> None:
    """Every third lists; of a hundred, two failed; some were withheld, or never finished."""
    requested = filler.ago(count)
    moment, key = filler.moment(requested), filler.ulid(requested)
    root = f"'p' || (n / 2 % {PRODUCTS}) || '/builds/b' || (n / 2)"
    lost, failed = "n % 100003 = 7", "n % 50 = 0"
    status = (
        f"CASE WHEN {lost} THEN 'requested' WHEN {failed} THEN 'failed' "
        "WHEN n % 501 = 1 THEN 'withheld' ELSE 'issued' END"
    )
    filler.copy(
        row,
        count,
        id=key,
        session_name=f"{key} || '-p' || (n / 2 % {PRODUCTS})",
        status=status,
        failure_code=f"CASE WHEN {failed} AND NOT {lost} THEN 'sts_throttled' ELSE '' END",
        delivery="CASE WHEN n % 3 = 0 THEN 'list' ELSE 'json' END",
        product_slug=f"'p' || (n / 2 % {PRODUCTS})",
        build_slug="'b' || (n / 2)",
        root=root,
        policy=f"replace(t.policy, t.root, {root})",
        token_name="'ltdk_' || " + filler.padded(f"n / 2 % {CLIENTS}", 12),
        access_key_id=f"CASE WHEN {failed} OR {lost} THEN '' ELSE 'ASIA' || n END",
        assumed_role_id=f"'AROAEXAMPLE:' || {key}",
        sts_request_id="'request-' || n",
        caller_address="'192.0.2.' || (n % 250)",
        caller_ip_hex="NULL",
        requested_at=moment,
        completed_at=f"CASE WHEN NOT {lost} THEN {moment} END",
        expires_at=f"CASE WHEN NOT {failed} AND NOT {lost} "
        f"THEN {filler.moment(f'{requested} + 1800000')} END",
        **columns,
    )


def _copy_audits(filler: Filler, store: Store, *, findings: int, runs: int) -> None:
    """One finding in four is open, and one in forty acknowledged; one run in ten failed."""
    with recorded_run("audit_bucket", store=store) as run:
        list(run.keep([Finding(rule="upload_unfinished", subject="first", what="An upload.")]))
    first = JobRun.objects.latest("pk")
    began = filler.moment(filler.ago(runs))
    filler.copy(
        first,
        runs,
        started_at=began,
        finished_at=began,
        job="CASE WHEN n % 3 = 0 THEN 'audit_bucket' ELSE 'roll_up' END",
        state="CASE WHEN n % 10 = 1 THEN 'failed' ELSE 'finished' END",
        problem="CASE WHEN n % 10 = 1 THEN 'The store did not answer.' ELSE '' END",
    )
    seen, is_known = filler.moment(filler.ago(findings)), "n % 40 = 4"
    filler.copy(
        AuditFinding.objects.get(subject="first"),
        findings,
        fingerprint=filler.padded("n", 64),
        rule="CASE WHEN n % 5 = 0 THEN 'session_stuck' ELSE 'upload_unfinished' END",
        severity="CASE WHEN n % 5 = 0 THEN 'error' ELSE 'warning' END",
        subject="'p1/builds/b' || n",
        first_seen_at=seen,
        last_seen_at=seen,
        closed_at=f"CASE WHEN n % 4 <> 0 THEN {seen} END",
        acknowledged_at=f"CASE WHEN {is_known} THEN {seen} END",
        acknowledged_until=f"CASE WHEN {is_known} THEN "
        f"{filler.moment(f'{filler.ago(findings)} + 10000000000')} END",
        acknowledged_by=f"CASE WHEN {is_known} THEN 'operator' ELSE '' END",
        acknowledged_note=f"CASE WHEN {is_known} THEN 'known' ELSE '' END",
    )


def _copy_deliveries(filler: Filler, *, deliveries: int) -> None:
    """One in a hundred is a dead letter; the last hundred wait."""
    webhook = Webhook.objects.create(name="editions", url="https://editions.example.org/")
    record_test_event(webhook=webhook, now=timezone.now())
    at = filler.moment(filler.ago(deliveries))
    filler.copy(
        WebhookDelivery.objects.get(),
        deliveries,
        event_id=filler.padded("n", 26),
        subject="'p1/builds/b' || n",
        created_at=at,
        last_attempt_at=at,
        attempts="1",
        last_status="204",
        state=f"CASE WHEN n > {deliveries - 100} THEN 'waiting' WHEN n % 100 = 0 THEN 'dead' "
        "ELSE 'delivered' END",
    )


def _copy_refusals(filler: Filler, *, refusals: int) -> None:
    """From 250 addresses, over the days that sessions are from."""
    row = Refusal.objects.create(
        hour=timezone.now(), network="192.0.2.7", reason="first", calls=1, last_at=timezone.now()
    )
    at = filler.moment(filler.ago(refusals))
    filler.copy(
        row,
        refusals,
        hour=at,
        last_at=at,
        network="'198.51.100.' || (n % 250)",
        reason="CASE WHEN n % 3 = 0 THEN 'invalid_token' ELSE 'product_not_granted' END",
        calls="1 + n % 40",
    )
