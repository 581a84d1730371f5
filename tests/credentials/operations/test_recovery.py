"""After a restore: no root that is in use is given out again, and nothing starts before."""

import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from builds.errors import SlugTaken
from builds.models import Build, Product, Store
from credentials.operations import recovery
from credentials.operations.recovery import (
    POSTGRESQL,
    database_identity,
    recover_builds,
    why_restored,
)
from tests.credentials.operations.audit.fake_bucket import FakeBucket

pytestmark = pytest.mark.django_db


@pytest.fixture
def restored(store: Store, monkeypatch: pytest.MonkeyPatch) -> FakeBucket:
    """The bucket of a store whose database is now another one."""
    assert why_restored() == ""
    monkeypatch.setattr(recovery, "database_identity", lambda: "another")
    bucket = FakeBucket()
    monkeypatch.setattr(recovery, "store_client", lambda *_: bucket)
    return bucket


def recover(store: Store, now: datetime) -> list[str]:
    found = recover_builds(store=store, auditor=boto3.session.Session(), now=now)
    return [build.root for build in found]


def test_root_given_out_after_the_backup_is_not_given_out_again(
    restored: FakeBucket, register: Callable[..., Build], store: Store, now: datetime
) -> None:
    known = register(slug="v1")
    keys = [f"{known.root}/x", "guide/builds/v2/a", "guide/builds/v2/b", "gone/builds/v1", "other"]
    restored.objects = dict.fromkeys(keys, now)
    assert "recover_builds for each of these stores: main." in why_restored()
    assert recover(store, now) == ["gone/builds/v1", "guide/builds/v2"]
    assert (recover(store, now), why_restored()) == ([], "")
    with pytest.raises(SlugTaken):
        register(slug="v2")


def test_recovered_build_is_finished_and_nobodys(
    restored: FakeBucket, product: Product, store: Store, now: datetime
) -> None:
    restored.objects = {"guide/builds/v2/a": now}
    recover(store, now)
    build = Build.objects.get(root="guide/builds/v2")
    assert build.state(now) is Build.State.FINISHED
    assert not hasattr(build, "registration")


def test_listing_that_fails_leaves_the_store_incomplete(
    restored: FakeBucket, store: Store, now: datetime
) -> None:
    restored.error = OSError()
    with pytest.raises(OSError):  # noqa: PT011 - the fake's own
        recover(store, now)
    assert why_restored()


def test_root_in_another_stores_bucket_is_left_alone(
    restored: FakeBucket, product: Product, store: Store, now: datetime
) -> None:
    other = Store.objects.create(name="b", bucket="other-bucket", role_arn=store.role_arn)
    restored.objects = {"guide/builds/v2/a": now}
    assert recover(other, now) == []


@pytest.mark.parametrize("command", ["run_clock", "write_revocations"])
def test_commands_do_not_work_on_a_restored_database(restored: FakeBucket, command: str) -> None:
    with pytest.raises(CommandError, match="This database was restored or moved"):
        call_command(command)
    call_command("recover_builds", "main", "--moved", stdout=StringIO())
    assert why_restored() == ""


def test_new_store_beside_a_restored_one_is_not_taken_for_complete(
    restored: FakeBucket, store: Store
) -> None:
    Store.objects.create(name="b", bucket="other-bucket", role_arn=store.role_arn)
    assert why_restored()
    assert Store.objects.get(name="b").complete_in == ""


@pytest.mark.sqlite
def test_copy_of_a_file_is_another_database(tmp_path: Path, monkeypatch: Any) -> None:
    before, copy = database_identity(), tmp_path / "copy.sqlite3"
    here, there = (sqlite3.connect(each) for each in (connection.settings_dict["NAME"], copy))
    with closing(here), closing(there):
        here.backup(there)
    monkeypatch.setitem(connection.settings_dict, "NAME", str(copy))
    assert database_identity() not in {"", before}


@pytest.mark.slow
@pytest.mark.loopback
def test_dump_that_is_restored_is_another_database(db: None, tmp_path: Path) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("dumps are PostgreSQL's")
    settings = connection.settings_dict
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    place = {name: str(settings[key]) for name, key in names.items() if settings[key]}
    server = psycopg.connect(dbname="postgres", autocommit=True, **place)
    here, there = (
        psycopg.conninfo.make_conninfo(dbname=n, **place) for n in (settings["NAME"], "restored")
    )
    dump = str(tmp_path / "dump")
    with server:
        server.execute("CREATE DATABASE restored")
        try:
            subprocess.run(["/usr/bin/pg_dump", "-Fc", f"--file={dump}", here], check=True)
            subprocess.run(
                ["/usr/bin/pg_restore", f"--dbname={there}", "--no-owner", dump], check=True
            )
            with psycopg.connect(there) as restored:
                [identity] = restored.execute(POSTGRESQL).fetchone() or [""]
        finally:
            server.execute("DROP DATABASE restored WITH (FORCE)")
    assert identity not in {"", database_identity()}
