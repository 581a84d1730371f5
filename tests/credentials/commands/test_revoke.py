"""`manage.py revoke` and `write_revocations`: what they say, and how they end."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from builds.models import Product, Store
from credentials.access.clients import command_line_user
from credentials.errors import AlreadyRunning
from credentials.models import Delivery, IssuedSession, JobRun, Revocation
from credentials.operations.revocation_policy import Written
from credentials.operations.revocation_targets import find_target
from credentials.operations.revoking import revoke
from ltdkeeper.management import revocations
from tests.credentials.ledger_rows import issued_row

pytestmark = pytest.mark.django_db
NEVER = timezone.now().replace(year=2999)


@pytest.fixture
def session(store: Store) -> IssuedSession:
    return issued_row(store=store, expires_at=NEVER)


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What becomes of every decision when it is written."""

    def to_become(state: str, **fields: Any) -> None:
        def write(store: Store, _session: object) -> Written:
            fields.setdefault("written_at", timezone.now())
            Revocation.objects.update(state=state, **fields)
            decisions = list(Revocation.objects.all())
            return Written(store=store, is_changed=True, entries=1, capacity=9, decisions=decisions)

        monkeypatch.setattr(revocations, "write", write)

    return to_become


def run(*arguments: str) -> tuple[int, str]:
    said = StringIO()
    try:
        call_command(*arguments, stdout=said)
    except SystemExit as err:
        return int(str(err.code)), said.getvalue()
    return 0, said.getvalue()


def test_run_without_revocations_says_so() -> None:
    assert run("write_revocations") == (0, "No store has a revocation.\n")


def test_dry_run_says_what_would_end_and_changes_nothing(session: IssuedSession) -> None:
    code, said = run("revoke", "session", session.pk, "--reason", "x", "--dry-run")
    assert (code, Revocation.objects.count()) == (0, 0)
    assert f"session  {session.session_name}" in said
    assert said.endswith("Nothing was changed.\n")


def test_dry_run_refuses_what_the_run_would(session: IssuedSession) -> None:
    for arguments in (
        ["store", "main", "--reason", "x"],
        ["store", "main", "--reason", "x", "--before", "2999-01-01T00:00Z"],
        ["session", session.pk, "--reason", " "],
    ):
        with pytest.raises(CommandError) as refused:
            run("revoke", *arguments, "--dry-run")
        assert refused.value.returncode == 2, arguments


def test_sessions_that_try_a_revocation_are_none_to_revoke(
    session: IssuedSession, product: Product
) -> None:
    command = ["revoke", "product", product.slug, "--reason", "x", "--dry-run"]
    assert ": 1 live session," in run(*command)[1]
    IssuedSession.objects.update(delivery=Delivery.VERIFY)
    assert ": 0 live sessions" in run(*command)[1]


def test_it_records_and_writes_at_once(session: IssuedSession, become: Callable[..., None]) -> None:
    become("verified", verified_at=timezone.now())
    code, said = run("revoke", "session", session.pk, "--reason", "leaked", "--yes")
    assert code == 0
    assert f"verified   session {session} in main: 1 session, " in said
    made = Revocation.objects.get()
    assert (made.reason, made.requested_by) == ("leaked", "command-line")


def test_what_is_not_obeyed_yet_is_said(
    session: IssuedSession, become: Callable[..., None]
) -> None:
    become("written")
    code, said = run("revoke", "session", session.pk, "--reason", "leaked", "--yes")
    assert (code, "run write_revocations again" in said) == (0, True)


@pytest.mark.parametrize("command", [["write_revocations"], ["write_revocations", "--store=main"]])
def test_failed_decision_is_exit_code_3(
    command: list[str], session: IssuedSession, become: Callable[..., None]
) -> None:
    become("failed", failed_at=timezone.now(), problem="not_written: because.")
    code, said = run("revoke", "session", session.pk, "--reason", "leaked", "--yes")
    assert (code, "! not_written: because." in said) == (3, True)
    assert run(*command)[0] == 3


def test_failure_is_not_taken_for_the_end_and_is_tried_again_by_the_same_command(
    session: IssuedSession, become: Callable[..., None]
) -> None:
    become("failed", failed_at=timezone.now(), problem="not_written: because.")
    again = ("revoke", "session", session.pk, "--reason", "leaked", "--yes")
    said = run(*again)[1]
    assert "Revoked here: 1 session. The store may still accept them: 1 of 1" in said
    found = run("find", session.pk)[1]
    assert "revoked, but the store may still accept it" in found
    assert run(*again)[0] == 3
    become("verified", verified_at=timezone.now(), failed_at=None, problem="")
    code, said = run(*again)
    assert (code, said.splitlines()[-1]) == (0, "Revoked: 1 session.")
    assert "  status         revoked\n" in run("find", session.pk)[1]
    assert Revocation.objects.count() == 1


def test_dry_run_says_what_the_store_may_still_accept(
    session: IssuedSession, become: Callable[..., None]
) -> None:
    become("failed", failed_at=timezone.now(), problem="not_written: because.")
    run("revoke", "session", session.pk, "--reason", "leaked", "--yes")
    become("verified", verified_at=timezone.now(), failed_at=None, problem="")
    code, said = run("revoke", "session", session.pk, "--reason", "x", "--dry-run")
    assert (code, "! not_written: because." in said) == (0, True)
    assert "The store may still accept the sessions" in said
    assert Revocation.objects.get().state == "failed"


def test_what_nobody_wrote_yet_is_written_by_the_same_command(
    session: IssuedSession, become: Callable[..., None]
) -> None:
    target = find_target(kind="session", text=session.pk, before=None)
    revoke(target=target, reason="leaked", by=command_line_user(), now=timezone.now())
    become("verified", verified_at=timezone.now())
    said = run("revoke", "session", session.pk, "--reason", "leaked", "--yes")[1]
    assert said.splitlines()[-1] == "Revoked: 1 session."
    assert Revocation.objects.get().state == "verified"


def test_run_that_could_not_write_says_so(
    session: IssuedSession, become: Callable[..., None]
) -> None:
    become("failed", failed_at=timezone.now(), problem="not_written: because.")
    run("revoke", "session", session.pk, "--reason", "leaked", "--yes")
    assert run("write_revocations")[0] == 3
    ended = JobRun.objects.get(job="write_revocations")
    assert (ended.state, ended.problem) == ("finished", "Failed at the store: 1 of 1.")


def test_without_the_revoker_the_decision_is_recorded_and_has_failed(
    session: IssuedSession,
) -> None:
    code, said = run("revoke", "session", session.pk, "--reason", "leaked", "--yes")
    assert (code, "LTD_REVOKER_PROFILE" in said) == (3, True)
    session.refresh_from_db()
    assert session.revoked_at


@pytest.mark.parametrize("answer", [None, "y", "yes"], ids=["nobody there", "y", "yes"])
def test_it_asks_first(
    answer: str | None, session: IssuedSession, become: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    become("written")
    monkeypatch.setattr("sys.stdin.isatty", lambda: answer is not None, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    command = ["revoke", "session", session.pk, "--reason", "leaked"]
    if answer == "yes":
        assert run(*command)[0] == 0
        return
    with pytest.raises(CommandError) as refused:
        run(*command)
    assert (refused.value.returncode, Revocation.objects.count()) == (2, 0)


def test_json_is_one_document(session: IssuedSession, become: Callable[..., None]) -> None:
    become("verified", verified_at=timezone.now())
    options = ["--reason", "x", "--yes", "--format", "json", "--before", "2999-01-01"]
    said = json.loads(run("revoke", "session", session.pk, *options)[1])
    assert (said["session_count"], said["revocations"][0]["state"]) == (1, "verified")
    written = json.loads(run("write_revocations", "--format", "json")[1])
    assert [each["target"] for each in written["revocations"]] == [str(session)]


def test_another_run_that_writes_is_waited_for(
    session: IssuedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def write(*_: object) -> None:
        tried.append(1)
        if len(tried) < 3:
            raise AlreadyRunning

    monkeypatch.setattr(revocations, "write", write)
    monkeypatch.setattr("time.sleep", lambda _: None)
    run("revoke", "session", session.pk, "--reason", "x", "--yes")
    assert len(tried) == 3


def test_run_that_never_ends_is_exit_code_4(
    session: IssuedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object) -> None:
        raise AlreadyRunning

    monkeypatch.setattr(revocations, "write", write)
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(CommandError) as refused:
        run("revoke", "session", session.pk, "--reason", "x", "--yes")
    assert refused.value.returncode == 4


def test_store_that_another_run_writes_holds_up_no_other(
    session: IssuedSession, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Store.objects.create(name="other", bucket="other-bucket", role_arn=store.role_arn)
    for row in (session, issued_row(store=other, expires_at=NEVER)):
        target = find_target(kind="session", text=row.pk, before=None)
        revoke(target=target, reason="x", by=command_line_user(), now=timezone.now())
    tried: list[str] = []

    def write(store: Store, _session: object) -> None:
        tried.append(store.name)
        raise AlreadyRunning

    monkeypatch.setattr(revocations, "write", write)
    with pytest.raises(CommandError) as refused:
        run("write_revocations")
    assert (tried, refused.value.returncode) == (["main", "other"], 4)


def test_json_leaves_no_room_for_a_question(
    session: IssuedSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    with pytest.raises(CommandError, match="use --yes"):
        run("revoke", "session", session.pk, "--reason", "x", "--format", "json")
    assert not Revocation.objects.exists()
