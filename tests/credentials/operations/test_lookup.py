"""From identifiers to what they belong to, in a ledger with rows of a job, a key and others."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from builds.models import Build, Product
from credentials.access.callers import Caller, authenticate
from credentials.access.clients import start_access_token, start_job_token
from credentials.models import (
    AccessToken,
    ApiKey,
    BuildOwner,
    CiJob,
    Client,
    IssuedSession,
    JobToken,
    OidcIssuer,
    Refusal,
    TrustedPublisher,
)
from credentials.operations.lookup import LIMIT, LOOK_UPS, Row, look_up, sessions_of
from credentials.operations.records import Record, describe
from credentials.rules.identifiers import Kind, recognise
from credentials.rules.publishers import IssuerKind
from tests.credentials.ledger_rows import NOW, failed_row, issued_row

IDENTITY = "repo:org/guide:ref:refs/heads/main"
ROLE_ID = "AROA3XFRBF535PLBIFPI4"
COMMIT = "c040cae0f0dc81641728557b80f09cfa23b83fe5"
CI_JOB = {
    "repository": "octo-org/octo-repo",
    "workflow": "Build docs",
    "run_id": "22259804324",
    "run_number": "1017",
    "job_id": "30201",
    "commit": COMMIT,
}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A job's build and its session, and a session of another build that has nothing to do with
    them."""

    job: Caller
    build: Build
    session: IssuedSession


@pytest.fixture
def scene(caller: Caller, product: Product, now: datetime, register: Callable[..., Build]) -> Scene:
    _, secret = start_job_token(
        client=caller.client,
        api_key=caller.api_key,
        products=[product],
        identity=IDENTITY,
        ci_job=CiJob(**CI_JOB),
        now=now,
    )
    job = authenticate(raw_token=secret.reveal(), name=None, now=now)
    build = register("v1", caller=job, git_refs=["refs/heads/tickets/DM-1"])
    ip_hex = "00000000000000000000ffffc0000207"
    session = issued_row(build=build, token_name=job.token_name, caller_ip_hex=ip_hex)
    session.assumed_role_id = f"{ROLE_ID}:{session.session_name}"
    session.access_key_id, session.sts_request_id = "ASIA5YGZIDLCJQ2VM7PX", "c6104cbe-af31-11e0"
    session.save()
    issued_row(build=register("v2"), root="other/builds/v2", product_slug="other")
    return Scene(job=job, build=build, session=session)


def rows_of(text: str) -> list[Row]:
    return [row for rows in look_up(recognise(text)).values() for row in rows]


def found(text: str, now: datetime) -> list[Record]:
    """The rows and the sessions that belong to them, as `manage.py find` has them."""
    rows = rows_of(text)
    return describe([*rows, *sessions_of(rows)], now)


def arn(session: IssuedSession, prefix: str = "arn:aws:sts::123456789012") -> str:
    return f"{prefix}:assumed-role/upload/{session.session_name}"


def job_name(scene: Scene) -> str:
    return scene.job.token_name.partition("/")[2]


BY_SESSION: dict[str, Callable[[IssuedSession], str]] = {
    "access key id": lambda row: row.access_key_id,
    "ledger id": lambda row: row.pk,
    "session name": lambda row: row.session_name,
    "assumed-role id": lambda row: row.assumed_role_id,
    "ARN": arn,
    "STS request id": lambda row: row.sts_request_id,
    "address": lambda _: "192.0.2.7:443",
    "network": lambda _: "192.0.0.0/16",
    "network that holds it in another form": lambda _: "::ffff:0:0/96",
}
# What the job's build and session are found by besides.
BY_BUILD: dict[str, Callable[[Scene], str]] = {
    "root": lambda scene: scene.build.root,
    "object key": lambda scene: f"{scene.build.root}/index.html",
    "s3 address": lambda scene: f"s3://docs-bucket/{scene.build.root}/index.html",
    "build slug": lambda scene: scene.build.slug,
    "build's address": lambda scene: f"https://keeper.example.org/builds/{scene.build.pk}",
    "branch": lambda _: "tickets/DM-1",
    "branch in full": lambda _: "refs/heads/tickets/DM-1",
}
BY_TOKEN: dict[str, Callable[[Scene], str]] = {
    "job token": job_name,
    "name in the ledger": lambda scene: scene.job.token_name,
    "whole token": lambda scene: f"{job_name(scene)}_{'0f' * 32}",
    **{name: (lambda _, text=text: text) for name, text in CI_JOB.items()},
    "beginning of the commit": lambda _: COMMIT[:7],
    "page of the run": lambda _: "https://github.com/octo-org/octo-repo/actions/runs/22259804324",
}


def test_session_is_found_with_all_that_it_belongs_to(scene: Scene) -> None:
    for case, make in BY_SESSION.items():
        [record] = found(make(scene.session), NOW)
        assert (record.what, record.name) == ("session", scene.session.session_name), case
        assert (record.build, record.bucket) == ("guide/builds/v1", "docs-bucket"), case
        assert (record.client, record.token) == ("ci", scene.job.token_name), case
        assert (record.job, record.status) == (IDENTITY, "active"), case


def test_build_is_found_with_its_owner_and_its_sessions(scene: Scene, now: datetime) -> None:
    for case, make in BY_BUILD.items():
        build, session = found(make(scene), now)
        assert (build.what, build.name, build.status) == ("build", scene.build.root, "open"), case
        assert (build.client, build.token, build.job) == ("ci", scene.job.token_name, IDENTITY), (
            case
        )
        assert session.name == scene.session.session_name, case


def test_token_is_found_with_its_job_and_its_sessions(scene: Scene, now: datetime) -> None:
    for case, make in BY_TOKEN.items():
        token, session = found(make(scene), now)
        assert (token.what, token.name, token.status) == ("token", scene.job.token_name, "valid"), (
            case
        )
        assert (token.client, token.job, token.commit) == ("ci", IDENTITY, COMMIT), case
        assert (token.repository, token.run) == (CI_JOB["repository"], CI_JOB["run_id"]), case
        assert session.name == scene.session.session_name, case


def test_product_is_found_with_its_clients_and_sessions(scene: Scene, now: datetime) -> None:
    product, session = found("guide", now)
    assert (product.what, product.name, product.client) == ("product", "guide", "ci")
    assert session.name == scene.session.session_name


@pytest.mark.parametrize("text", ["guide/builds/v9", "s3://another-bucket/guide/builds/v1/a"])
def test_key_of_no_build_leads_to_its_product(text: str, scene: Scene) -> None:
    assert rows_of(text) == [scene.build.product]


def test_names_are_looked_for_within(scene: Scene) -> None:
    scene.build.product.title = "The Handbook"
    scene.build.product.save()
    ada = User.objects.create_user("alovelace", first_name="Ada")
    assert rows_of("handbook") == [scene.build.product]
    assert rows_of("Ada") == [ada]
    assert rows_of("CI") == [scene.job.client]


@pytest.mark.parametrize(
    ("text", "network"),
    [("203.0.113.9:443", "203.0.113.9"), ("2001:db8::7", "2001:db8::/64")],
    ids=["IPv4", "IPv6"],
)
def test_address_that_was_refused_is_found(
    text: str, network: str, now: datetime, db: None
) -> None:
    counted = {"network": network, "reason": "invalid_credentials", "calls": 1, "last_at": now}
    hours = (now - timedelta(hours=hours) for hours in (1, 2))
    rows = [Refusal.objects.create(hour=hour, **counted) for hour in hours]
    assert rows_of(text) == rows
    [record, _] = found(text, now)
    assert (record.what, record.name) == ("refused calls", f"from {network}")
    hour = rows[0].hour.strftime("%H:%M")
    assert record.status == f"invalid_credentials: 1 in the hour from {hour} UTC"


def test_run_of_a_publisher_s_job_has_its_address(scene: Scene, now: datetime) -> None:
    issuer = OidcIssuer(kind=IssuerKind.GITHUB)
    issuer.full_clean()
    issuer.save()
    publisher = TrustedPublisher.objects.create(
        name="docs", client=scene.job.client, issuer=issuer, conditions={"repository_id": ["74"]}
    )
    JobToken.objects.update(api_key=None, publisher=publisher)
    address = "https://github.com/octo-org/octo-repo/actions/runs/22259804324"
    assert [record.run for record in found(address, now)] == [address]
    TrustedPublisher.objects.update(is_active=False)
    assert found(address, now)[0].status == "valid again if its publisher is enabled"


def test_describing_rows_asks_nothing(
    scene: Scene, now: datetime, django_assert_num_queries: Callable[..., Any]
) -> None:
    rows = [*rows_of(scene.build.root), *rows_of(COMMIT), *rows_of("ci")]
    with django_assert_num_queries(0):
        assert [record.commit for record in describe(rows, now)] == [COMMIT, COMMIT, ""]


def test_client_has_its_sessions(scene: Scene, now: datetime) -> None:
    IssuedSession.objects.filter(pk=scene.session.pk).update(client=scene.job.client)
    client, session = found("ci", now)
    assert (client.what, client.status) == ("client", "active")
    assert session.name == scene.session.session_name


def test_row_is_found_once(scene: Scene) -> None:
    Build.objects.update(git_ref="v1")
    assert rows_of("v1").count(scene.build) == 1


def test_key_has_the_sessions_of_the_tokens_that_it_gave(
    scene: Scene, caller: Caller, now: datetime
) -> None:
    start_access_token(caller=caller, now=now)
    access_token = AccessToken.objects.get()
    issued_row(token_name=f"{caller.token_name}/{access_token.token_name}")
    issued_row(token_name=caller.token_name)
    key, *sessions = found(caller.token_name, now)
    assert (key.name, key.job) == (caller.token_name, "")
    assert len({session.token for session in sessions}) == 3


def test_access_token_is_found_under_its_key(caller: Caller, now: datetime) -> None:
    start_access_token(caller=caller, now=now)
    name = AccessToken.objects.get().token_name
    [record] = found(name, now)
    assert (record.name, record.client) == (f"{caller.token_name}/{name}", "ci")


def test_ledger_still_knows_a_token_that_is_gone(now: datetime, db: None) -> None:
    name = "ltdk_0123456789ab/ltds_0123456789ab"
    row = issued_row(token_name=name)
    assert [record.name for record in found(name, now)] == [row.session_name]


def test_publisher_s_job_token_has_no_key(scene: Scene, now: datetime) -> None:
    row = issued_row(token_name="ltdj_0123456789ab")
    assert [record.name for record in found("ltdj_0123456789ab", now)] == [row.session_name]


def test_failed_session_says_why(db: None, now: datetime) -> None:
    row = failed_row()
    assert [record.status for record in found(row.session_name, now)] == ["failed: sts_throttled"]


STRANGERS: dict[str, Callable[[IssuedSession], str]] = {
    "ARN of another account": lambda row: arn(row, "arn:aws:sts::999999999999"),
    "ARN of another partition": lambda row: arn(row, "arn:aws-cn:sts::123456789012"),
    "ARN of another role": lambda row: arn(row).replace("/upload/", "/load/"),
    "id of another role": lambda row: f"AROA000000000000000000:{row.session_name}",
    "longer session name": lambda row: f"{row.session_name}s",
    "access key id in lower case": lambda row: row.access_key_id.lower(),
    "run of another repository": lambda _: "https://github.com/octo-org/x/actions/runs/22259804324",
    "address beside the network": lambda _: "192.1.0.0/16",
    "commit that begins alike": lambda _: f"{COMMIT[:9]}1",
}


def test_what_only_looks_alike_is_not_found(scene: Scene, now: datetime) -> None:
    for case, make in STRANGERS.items():
        assert found(make(scene.session), now) == [], case


def test_role_with_a_path_is_named_without_it_in_arns(scene: Scene, now: datetime) -> None:
    IssuedSession.objects.update(role_arn="arn:aws:iam::123456789012:role/docs/upload")
    assert found(arn(scene.session), now)


def test_store_without_assumed_role_ids_goes_by_the_name(scene: Scene, now: datetime) -> None:
    IssuedSession.objects.update(assumed_role_id="")
    assert found(f"{ROLE_ID}:{scene.session.session_name}", now)


def test_build_without_an_owner_is_found(scene: Scene, now: datetime) -> None:
    scene.build.registration.delete()
    build, _ = found(scene.build.root, now)
    assert (build.client, build.token, build.job) == ("", "", "")


def test_newest_sessions_are_given(caller: Caller, product: Product, now: datetime) -> None:
    rows = [issued_row() for _ in range(LIMIT + 1)]
    _, *sessions = found(product.slug, now)
    assert {session.name for session in sessions} == {row.session_name for row in rows[1:]}


ENDS: dict[str, tuple[Callable[[datetime], object], str]] = {
    "revoked": (lambda now: ApiKey.objects.update(revoked_at=now), "revoked"),
    "expired": (lambda now: ApiKey.objects.update(expires_at=now), "expired"),
    "not yet": (lambda now: ApiKey.objects.update(expires_at=now + timedelta(hours=1)), "valid"),
}


@pytest.mark.parametrize("case", ENDS)
def test_token_has_its_status_and_that_of_its_key(case: str, scene: Scene, now: datetime) -> None:
    end, status = ENDS[case]
    end(now)
    names = scene.job.token_name.partition("/")[0], job_name(scene)
    assert [found(name, now)[0].status for name in names] == [status, status]


def test_ended_job_token_is_revoked(scene: Scene, now: datetime) -> None:
    JobToken.objects.update(ended_at=now)
    assert found(job_name(scene), now)[0].status == "revoked"


def test_every_kind_has_its_look_up() -> None:
    assert set(LOOK_UPS) == set(Kind)


EVERY = {
    **{name: (lambda scene, make=make: make(scene.session)) for name, make in BY_SESSION.items()},
    **BY_BUILD,
    **BY_TOKEN,
    "API key": lambda scene: scene.job.token_name.partition("/")[0],
    "product": lambda scene: scene.build.product.slug,
}


# What each further row of a long table has of its own; keys and what refers to them run alike.
LONG: dict[type[Model], dict[str, str]] = {
    Build: {
        "id": "id + 1000 + n",
        "slug": "'s' || n",
        "root": "'guide/builds/s' || n",
        "git_ref": "'r' || n",
    },
    JobToken: {"id": "id + 1000 + n", "public_id": "lpad(n::text, 12, 'x')"},
    BuildOwner: {"id": "id + 1000 + n", "build_id": "build_id + 1000 + n"},
    CiJob: {"job_token_id": "job_token_id + 1000 + n"} | dict.fromkeys(CI_JOB, "'x' || n"),
    IssuedSession: {
        "id": "'02' || lpad(n::text, 24, '0')",
        "session_name": "'02' || lpad(n::text, 24, '0')",
        "caller_ip_hex": "lpad(to_hex(n), 32, '0')",
        "build_id": "build_id + 1000 + n",
    }
    | dict.fromkeys(("access_key_id", "sts_request_id", "token_name", "product_slug"), "'x' || n"),
}
# Those in which names are looked for.
SMALL = (Product._meta.db_table, Client._meta.db_table, User._meta.db_table)


def test_no_look_up_reads_a_whole_table(scene: Scene, now: datetime) -> None:
    if connection.vendor == "postgresql":
        fill()
    for case, text in EVERY.items():
        with CaptureQueriesContext(connection) as queries:
            found(text(scene), now)
        statements = [query["sql"] for query in queries]
        assert statements, case
        assert [scan for sql in statements for scan in scans(sql)] == [], case


def fill() -> None:
    """So many rows that PostgreSQL's planner does not read all of them for a few."""
    with connection.cursor() as cursor:
        for model, others in LONG.items():
            table, fields = model._meta.db_table, model._meta.concrete_fields
            names = ", ".join(f'"{field.column}"' for field in fields)
            values = ", ".join(others.get(field.column, f'"{field.column}"') for field in fields)
            cursor.execute(
                f"INSERT INTO {table} ({names}) SELECT {values} FROM "  # noqa: S608 - no input
                f"(SELECT * FROM {table} ORDER BY 1 LIMIT 1) one, generate_series(1, 5000) n"
            )
            cursor.execute(f"ANALYZE {table}")


def scans(sql: str) -> list[str]:
    """The long tables of which a statement reads every row."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            steps = [str(row[3]) for row in cursor.fetchall()]
            return [
                step for step in steps if step.startswith("SCAN ") and step.split()[1] not in SMALL
            ]
        cursor.execute(f"EXPLAIN {sql}")
        steps = [row[0] for row in cursor.fetchall()]
        tables = [f"Seq Scan on {model._meta.db_table} " for model in LONG]
        return [step for step in steps if any(table in step for table in tables)]
