"""Revoked sessions are refused by the store, at once and whatever happens to who writes that."""

import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from credentials.rules.revocation import POLICY_NAME
from credentials.vending.store_clients import AccessKey
from demo.processes import ROOT
from demo.service import Service
from tests.store.answers import ACCEPTED, REFUSED, Answer, answer_to, answers_to, http_answer
from tests.store.posting import send_post, send_put
from tests.store.stage import DATABASE, Account, edit, prepared_account, service_for
from tests.store.test_bootstrap_command import profile
from tests.store.test_presigned_puts import BODY, announced
from tests.store.under_test import StoreUnderTest
from tests.store.uploader import RegisteredBuild, Uploader

PRODUCT = "handbook"
# Kills at random points; more by hand.
KILLS = int(os.environ.get("LTD_TEST_STORE_KILLS", "20"))
# A whole run takes about as long, in seconds.
LONGEST_RUN = 0.6
KEPT = 10
REASON = ("--reason", "tried", "--yes")


@dataclass(frozen=True, kw_only=True)
class Job:
    """A CI job with its build, and S3 with the session that it was given."""

    uploader: Uploader
    build: RegisteredBuild
    key: AccessKey
    s3: Any

    @property
    def page(self) -> dict[str, str]:
        return {"Bucket": self.build.bucket, "Key": f"{self.build.root}/page"}

    def put(self) -> Answer:
        return answer_to(lambda: self.s3.put_object(**self.page, Body=b"x"))

    def sign(self, what: str, **body: Any) -> Any:
        return self.uploader.call("POST", f"{self.build.url}/{what}", body).json()


@dataclass(frozen=True, kw_only=True)
class Room:
    """A service whose operator may write the role's policies, in an account of its own."""

    account: Account
    service: Service
    uploader: Uploader
    folder: Path

    def job(self) -> Job:
        uploader = self.uploader.for_job(PRODUCT)
        build = uploader.register(PRODUCT)
        key = uploader.session(build)
        s3 = self.account.store.client("s3", key)
        return Job(uploader=uploader, build=build, key=key, s3=s3)

    def revoke(self, kind: str, name: str, *more: str) -> list[str]:
        """The states that the decisions end in."""
        said = self.service.manage("revoke", kind, name, *REASON, "--format", "json", *more)
        return [each["state"] for each in json.loads(said)["revocations"]]

    @property
    def patterns(self) -> set[str]:
        """What the policy at the store names."""
        where = {"RoleName": self.account.plan.role_name, "PolicyName": POLICY_NAME}
        document = self.account.iam.get_role_policy(**where)["PolicyDocument"]
        users = [each["Condition"]["StringLike"]["aws:userid"] for each in document["Statement"]]
        return {pattern for each in users for pattern in each}

    def pattern(self, job: Job) -> str:
        [(name,)] = self.rows(
            "SELECT id FROM credentials_issuedsession WHERE access_key_id = ?", job
        )
        return f"*:{name}-*"

    def rows(self, query: str, job: Job) -> list[Any]:
        with closing(sqlite3.connect(self.folder / DATABASE)) as connection:
            return connection.execute(query, (job.key.access_key_id,)).fetchall()

    def expire(self, job: Job) -> None:
        """As if the session had lived its life."""
        statement = "UPDATE credentials_issuedsession SET expires_at = ? WHERE access_key_id = ?"
        edit(self.folder, statement, "2026-01-01 00:00:00", job.key.access_key_id)


@pytest.fixture(scope="module")
def room(store: StoreUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("revoking")
    credentials = folder / "credentials"
    credentials.write_text(profile("writer", store.operator))
    named = {"AWS_SHARED_CREDENTIALS_FILE": str(credentials), "LTD_REVOKER_PROFILE": "writer"}
    with (
        prepared_account(store) as account,
        service_for(account, folder, **named) as service,
    ):
        api_key = service.new_client("ci")
        service.wait_until_it_answers()
        uploader = Uploader(service.url, api_key=api_key, store=account.row.name)
        uploader.create_product(PRODUCT)
        yield Room(account=account, service=service, uploader=uploader, folder=folder)
        uploader.close()


def test_revoked_session_is_refused_and_its_neighbour_is_not(room: Room) -> None:
    victim, neighbour = room.job(), room.job()
    part = {"UploadId": begin(victim), "PartNumber": 1, "Body": b"x"}
    assert (victim.put(), neighbour.put()) == (ACCEPTED, ACCEPTED)
    assert room.revoke("session", victim.key.access_key_id) == ["verified"]
    s3, page, bucket = victim.s3, victim.page, victim.build.bucket
    calls: dict[str, Callable[[], Any]] = {
        "put": lambda: s3.put_object(**page, Body=b"x"),
        "list": lambda: s3.list_objects_v2(Bucket=bucket, Prefix=f"{victim.build.root}/"),
        "begin": lambda: s3.create_multipart_upload(**page),
        "send a part": lambda: s3.upload_part(**page, **part),
        "give up": lambda: s3.abort_multipart_upload(**page, UploadId=part["UploadId"]),
    }
    assert answers_to(calls) == dict.fromkeys(calls, REFUSED)
    assert neighbour.put() == ACCEPTED


def begin(job: Job) -> str:
    return str(job.s3.create_multipart_upload(**job.page)["UploadId"])


def test_job_of_a_revoked_session_is_given_no_other(room: Room) -> None:
    job = room.job()
    room.revoke("session", job.key.access_key_id)
    assert http_answer(job.uploader.ask(job.build)) == Answer(401, "invalid_credentials")


def test_job_that_may_go_on_is_given_another(room: Room, store: StoreUnderTest) -> None:
    job = room.job()
    assert room.revoke("build", job.build.root, "--may-go-on") == ["verified"]
    again = store.client("s3", job.uploader.session(job.build))
    assert job.put() == REFUSED
    assert answer_to(lambda: again.put_object(**job.page, Body=b"x")) == ACCEPTED


def test_what_a_revoked_session_signed_is_refused(room: Room) -> None:
    edit(room.folder, "UPDATE builds_store SET post_support = ?", "works")
    job = room.job()
    put = job.sign("presigned-urls", files=[announced("signed")])["urls"]["signed"]
    post = job.sign("presigned-posts", directories=["/"])["post_prefix_urls"]["/"]
    send = (partial(send_put, put, BODY), partial(send_post, post, "page", BODY))
    assert [each() for each in send] == [ACCEPTED, Answer(204)]
    room.revoke("build", job.build.root)
    assert [each() for each in send] == [REFUSED, REFUSED]


def test_session_of_a_client_is_refused_with_the_client(room: Room) -> None:
    api_key = room.service.new_client("leaky")
    leaky = Uploader(room.service.url, api_key=api_key, store=room.account.row.name)
    leaky.create_product("leaked")
    build = leaky.register("leaked")
    s3 = room.account.store.client("s3", leaky.session(build))
    assert room.revoke("client", "leaky") == ["verified"]
    page = {"Bucket": build.bucket, "Key": f"{build.root}/page"}
    assert answer_to(lambda: s3.put_object(**page, Body=b"x")) == REFUSED
    assert http_answer(leaky.ask(build)) == Answer(401, "invalid_credentials")
    leaky.close()


def test_stores_with_one_role_keep_each_others_revocations(room: Room) -> None:
    """Each run writes the policy of both."""
    victim, twin_s, neighbour = room.job(), room.job(), room.job()
    assert room.revoke("session", victim.key.access_key_id) == ["verified"]
    other = "from builds.models import Store; row = Store.objects.get({}); row.pk = None;"
    other = other.format(f"name={room.account.row.name!r}") + "row.name = 'twin'; row.save()"
    room.service.manage("shell", "--no-imports", "--command", other)
    moved = "UPDATE credentials_issuedsession SET store_id = (SELECT id FROM builds_store"
    moved += " WHERE name = 'twin') WHERE access_key_id = ?"
    edit(room.folder, moved, twin_s.key.access_key_id)
    assert room.revoke("session", twin_s.key.access_key_id) == ["verified"]
    assert (victim.put(), twin_s.put(), neighbour.put()) == (REFUSED, REFUSED, ACCEPTED)


def test_expired_entry_leaves(room: Room) -> None:
    job = room.job()
    room.revoke("session", job.key.access_key_id)
    pattern = room.pattern(job)
    assert pattern in room.patterns
    room.expire(job)
    room.service.manage("write_revocations")
    assert pattern not in room.patterns
    assert job.put() == ACCEPTED  # it was not over in truth


@pytest.fixture
def browser(room: Room) -> Iterator[requests.Session]:
    """An administrator who is logged in."""
    password = {"DJANGO_SUPERUSER_PASSWORD": "correct horse battery"}
    account = ("--username", "ada", "--email", "")
    room.service.manage("createsuperuser", "--no-input", *account, environment=password)
    with requests.Session() as session:
        session.trust_env = False
        login = f"{room.service.url}/admin/login/"
        answer = send(
            session, login, username="ada", password=password["DJANGO_SUPERUSER_PASSWORD"]
        )
        assert "Log out" in answer.text
        yield session


def send(browser: requests.Session, page: str, **fields: str) -> requests.Response:
    """Open a page, fill in its form and send it."""
    browser.get(page, timeout=300)
    token = browser.cookies["csrftoken"]
    data = {"csrfmiddlewaretoken": token, **fields}
    return browser.post(page, data, headers={"Referer": page}, timeout=300)


def test_session_that_is_revoked_in_the_admin_is_refused_once_the_clock_has_written(
    room: Room, browser: requests.Session
) -> None:
    victim, neighbour = room.job(), room.job()
    [(ledger_id,)] = room.rows(
        "SELECT id FROM credentials_issuedsession WHERE access_key_id = ?", victim
    )
    page = f"{room.service.url}/admin/revoke/session/{ledger_id}/"
    shown = send(browser, page, reason="tried").text
    assert "waits for manage.py write_revocations" in shown
    assert victim.put() == ACCEPTED
    room.service.manage("write_revocations")
    assert (victim.put(), neighbour.put()) == (REFUSED, ACCEPTED)


def test_two_at_once_write_one_policy(room: Room) -> None:
    jobs = [room.job() for _ in range(4)]
    commands = [
        [sys.executable, "manage.py", "revoke", "session", job.key.access_key_id, *REASON]
        for job in jobs
    ]
    environment = room.service.environment
    running = [
        subprocess.Popen(each, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        for each in commands
    ]
    assert [each.wait() for each in running] == [0] * len(jobs)
    assert {room.pattern(job) for job in jobs} <= room.patterns
    assert [job.put() for job in jobs] == [REFUSED] * len(jobs)


@contextmanager
def program(room: Room) -> Iterator[Callable[[str, Any], None]]:
    environment = room.service.environment | {
        "DJANGO_SETTINGS_MODULE": "ltdkeeper.settings",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "tests.store.revoking_program"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=-1, stdout=-1, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        sent, said = process.stdin, process.stdout

        def do(what: str, value: Any) -> None:
            print(json.dumps([what, value]), file=sent, flush=True)
            assert said.readline() == "done\n"

        yield do
        sent.close()


def test_whoever_is_killed_while_writing_leaves_a_policy_that_the_next_run_puts_right(
    room: Room,
) -> None:
    """Every time one more session is revoked, and an older one expires."""
    neighbour, jobs = room.job(), []
    with program(room) as do:
        for _ in range(KILLS):
            jobs.append(room.job())
            do("revoke", jobs[-1].key.access_key_id)
            if len(jobs) > KEPT:
                room.expire(jobs[-KEPT - 1])
            do("write", random.uniform(0, LONGEST_RUN))  # noqa: S311 - no secret
            assert neighbour.put() == ACCEPTED
        do("write", None)
    alive, over = jobs[-KEPT:], jobs[:-KEPT]
    named = room.patterns
    assert {room.pattern(job) for job in alive} <= named
    assert {room.pattern(job) for job in over} & named == set()
    assert {job.put() for job in alive} == {REFUSED}
    assert {job.put() for job in over[-KEPT:]} <= {ACCEPTED}
    assert neighbour.put() == ACCEPTED
