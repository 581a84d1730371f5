"""`pg_virtualenv .venv/bin/python -m tests.bench.migrating`: what waits while a database migrates?

Lets the last release, or another commit, make its schema, fills its ledger, and runs
`manage.py migrate` as a release does, while others read and write. Prints the longest wait of
each, and how long `migrate` held locks that readers or writers wait for. Fails if one was held
for a second.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from ulid import ULID

from demo.processes import ROOT
from tests.released import RELEASED, unpack

TABLES = ["builds_build", "credentials_issuedsession", "credentials_refusal"]
LONGEST_SECONDS = 1

# The columns of the oldest version, so that its own processes are what goes on writing.
FILL = [
    "INSERT INTO builds_store (name, bucket, region, endpoint_url, public_endpoint_url, role_arn,"
    " role_max_seconds, external_id, kms_key_arn, addressing, acl_mode, post_support,"
    " post_signer_profile, created_at) VALUES ('main', 'docs-bucket', 'us-east-1', '', '',"
    " 'arn:aws:iam::123456789012:role/upload', 3600, '', '', 'auto', 'none', 'works', '', now())",
    "INSERT INTO builds_product (slug, title, doc_repo, root_domain, access, surrogate_key,"
    " created_at, store_id) SELECT 'guide', '', '', '', 'upload', 'a', now(), id FROM builds_store",
    "INSERT INTO credentials_client (name, is_active, may_create_products, created_at)"
    " VALUES ('ci', true, false, now())",
    "INSERT INTO builds_build (slug, server_made, bucket_name, root, git_refs, github_requester,"
    " surrogate_key, registered_at, open_until, survey_failure, written_without_session,"
    " root_is_shared, product_id) SELECT 'b' || n, false, 'docs-bucket', 'guide/builds/b' || n,"
    " '[]', '', 'a', now(), now() + interval '1 day', '', false, false, p.id"
    " FROM generate_series(1, %(rows)s / 10) n, builds_product p",
]
SESSION = """INSERT INTO credentials_issuedsession (id, status, failure_code, delivery, store_name,
 product_slug, build_slug, client_name, token_name, bucket_name, root, policy, duration_seconds,
 role_arn, session_name, signed_by_identity, access_key_id, assumed_role_id, sts_request_id,
 caller_address, caller_agent, requested_at, completed_at, expires_at, build_id, client_id,
 store_id)
 SELECT s.id, s.status, '', 'json', 'main', 'guide', 'b1', 'ci', 'ltdk_0123456789ab', 'docs-bucket',
 b.root, repeat('policy ', 100), 3600, 'arn:aws:iam::123456789012:role/upload', s.id || '-guide',
 false, s.access_key, '', '', '192.0.2.7', 'uploader', now(), s.completed_at, s.completed_at, b.id,
 c.id, o.id FROM ({sessions}) s JOIN builds_build b ON b.slug = s.slug,
 credentials_client c, builds_store o"""
MANY = SESSION.format(
    sessions="SELECT '01' || lpad(n::text, 24, '0') AS id, 'issued' AS status, 'ASIA' || n AS"
    " access_key, now() AS completed_at, 'b' || (1 + n %% (%(rows)s / 10)) AS slug"
    " FROM generate_series(1, %(rows)s) n"
)
ONE = SESSION.format(
    sessions="SELECT %(id)s AS id, 'requested' AS status, '' AS access_key,"
    " NULL::timestamptz AS completed_at, 'b1' AS slug"
)
COMPLETE = """UPDATE credentials_issuedsession SET status = 'issued', access_key_id = id,
 completed_at = now(), expires_at = now() WHERE id = %(id)s"""
# What goes on during the migration: each of its statements commits.
WORK = {
    "record and complete a session": [ONE, COMPLETE],
    "read sessions": ["SELECT id FROM credentials_issuedsession ORDER BY id DESC LIMIT 20"],
    "write a build": ["UPDATE builds_build SET object_count = 1 WHERE slug = 'b1'"],
    "read a build": ["SELECT id FROM builds_build WHERE root = 'guide/builds/b1'"],
}
# Modes for which an INSERT or UPDATE of the table waits.
LOCKS = """SELECT l.relation::regclass::text || ' ' || l.mode FROM pg_locks l
 JOIN pg_stat_activity a USING (pid) WHERE l.granted AND a.application_name = 'migrate'
 AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
 AND l.relation::regclass::text = ANY(%(tables)s)"""


def migrate(tree: Path) -> None:
    address = "postgres://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/postgres"
    environment = {
        "PATH": os.environ["PATH"],
        "LTD_ENV_FILE": str(ROOT / "tests/production.env"),
        "DATABASE_URL": address.format(**os.environ),
        "PGAPPNAME": "migrate",
    }
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(command, cwd=tree, env=environment, check=True)


def connect() -> psycopg.Connection:
    return psycopg.connect(dbname="postgres", autocommit=True, prepare_threshold=None)


def work(statements: list[str], ended: threading.Event, waits: list[float]) -> None:
    """Run them again and again; note how long each took."""
    with connect() as connection:
        while not ended.wait(0.002):
            parameters = {"id": str(ULID()).lower()}
            for statement in statements:
                begin = time.perf_counter()
                connection.execute(statement, parameters)
                waits.append(time.perf_counter() - begin)


def watch(ended: threading.Event, held: dict[str, float]) -> None:
    """The longest time for which each lock was seen at every look."""
    since: dict[str, float] = {}
    with connect() as connection:
        while not ended.wait(0.005):
            rows = connection.execute(LOCKS, {"tables": TABLES}).fetchall()
            now = time.perf_counter()
            since = {lock: since.get(lock, now) for (lock,) in rows}
            for lock, begin in since.items():
                held[lock] = max(held.get(lock, 0), now - begin)


@contextmanager
def beside(*jobs: Callable[[threading.Event], None]) -> Iterator[None]:
    """Each in a thread, until the block ends."""
    ended = threading.Event()
    threads = [threading.Thread(target=job, args=[ended]) for job in jobs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="sessions in the ledger")
    parser.add_argument("--before", default=RELEASED, metavar="COMMIT", help="whose schema it is")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        tree = Path(folder) / "before"
        if not unpack(options.before, tree):
            sys.exit(f"There is no commit {options.before} here.")
        migrate(tree)
    with connect() as connection:
        for statement in (*FILL, MANY):
            connection.execute(statement, {"rows": options.rows})
        connection.execute("ANALYZE")
    waits: dict[str, list[float]] = {title: [] for title in WORK}
    held: dict[str, float] = {}
    jobs = [lambda ended, title=title: work(WORK[title], ended, waits[title]) for title in WORK]
    with beside(*jobs, lambda ended: watch(ended, held)):
        time.sleep(1)
        begin = time.perf_counter()
        migrate(ROOT)
        seconds = time.perf_counter() - begin
    lines = [f"{options.rows} sessions; migrate took {seconds:.1f} s"]
    for title, taken in waits.items():
        lines.append(f"{title}: {len(taken)} statements, the longest {max(taken) * 1000:.0f} ms")
    for lock, longest in sorted(held.items()):
        lines.append(f"{lock}: held for {longest * 1000:.0f} ms at most")
    sys.stdout.write("\n".join([*lines, ""]))
    if max(held.values(), default=0) > LONGEST_SECONDS:
        sys.exit("A lock was held for more than a second.")


if __name__ == "__main__":
    main()
