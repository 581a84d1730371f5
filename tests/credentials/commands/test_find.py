"""`manage.py find`: text for people, one document for machines, no secret in either."""

import json
from io import StringIO

import pytest
import time_machine
from django.core.management import CommandError, call_command

from builds.models import Build, Product
from credentials.access.callers import Caller
from credentials.access.refusals import Count, RefusedCall, write_refusals
from credentials.models import Client, LedgerExport
from credentials.operations.findings import Finding
from credentials.operations.lookup import LIMIT
from credentials.operations.runs import recorded_run
from tests.conftest import raw_key
from tests.credentials.ledger_rows import NOW, issued_row


def find(*arguments: str) -> tuple[int, str]:
    """Exit code and what was written."""
    written = StringIO()
    try:
        call_command("find", *arguments, stdout=written)
    except SystemExit as end:
        return int(str(end.code)), written.getvalue()
    return 0, written.getvalue()


PRINTED = """\
session {row.session_name}
  status         active
  requested      2026-11-23 11:59:00 UTC
  expires        2026-11-23 12:29:00 UTC
  access key id  {row.access_key_id}
  role arn       arn:aws:iam::123456789012:role/upload
  may            Allow s3:PutObject on arn:aws:s3:::docs-bucket/guide/builds/v1/*
  build          guide/builds/v1
  bucket         docs-bucket
  client         ci
  token          ltdk_0123456789ab
  caller         192.0.2.7 uploader/1.0
"""


@time_machine.travel(NOW)
def test_session_is_printed_line_by_line(db: None) -> None:
    resource = "arn:aws:s3:::docs-bucket/guide/builds/v1/*"
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": resource}
    policy = json.dumps({"Statement": [statement]})
    row = issued_row(caller_address="192.0.2.7", caller_agent="uploader/1.0", policy=policy)
    assert find(row.access_key_id) == (0, PRINTED.format(row=row))


@pytest.mark.parametrize("about", ["session", "build", "access key that the ledger does not know"])
def test_findings_are_shown(about: str, build: Build) -> None:
    row = issued_row(build=build, root=build.root)
    names, fields = {
        "session": ((row.pk, row.root), {"session_id": row.pk}),
        "build": ((row.root, str(build.pk)), {"build_id": build.pk}),
    }.get(about, (("ASIA5YGZIDLCJQ2VM7PX",), {"access_key_id": "ASIA5YGZIDLCJQ2VM7PX"}))
    with recorded_run("audit_bucket") as run:
        list(run.keep([Finding(rule="denied_call", subject="x", what="wrong", **fields)]))
    for name in names:
        code, written = find(name, "--format", "json")
        [finding] = json.loads(written)["findings"]
        assert (code, finding["rule"]) == (0, "denied_call")
        line = f"finding {finding['fingerprint'][:12]} open, error denied_call: x: wrong\n"
        assert find(name)[1].endswith(line)


def test_client_and_token_have_their_refused_calls(caller: Caller) -> None:
    call = RefusedCall("192.0.2.9", "product_not_granted", caller.token_name, token_accepted=True)
    write_refusals({call: Count(17, NOW)}, now=NOW)
    for name in (caller.token_name, caller.client.name):
        said = " ".join(find(name)[1].split())
        assert "refused calls from 192.0.2.9 status product_not_granted: 17 in the hour" in said
        assert "token accepted: the caller has its secret" in said


def test_document_has_every_member(db: None) -> None:
    row = issued_row()
    code, written = find(row.session_name, "--format", "json")
    document = json.loads(written)
    assert (code, document["limit"]) == (0, LIMIT)
    assert document["tried"][0] == "session name"
    assert [record["build"] for record in document["records"]] == [row.root]


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("ASIA5YGZIDLCJQ2VM7PX", ["A", "B"]),
        ("01kc5zdjqbn7dy9bt33wk8h4xa-guide", ["A"]),
        ("arn:aws:sts::123456789012:assumed-role/upload/01kd0zdjqbn7dy9bt33wk8h4xa-guide", ["B"]),
        ("01ka0zdjqbn7dy9bt33wk8h4xa", []),
        ("guide/builds/v1", []),
    ],
)
def test_miss_names_the_exports_it_may_be_in(text: str, files: list[str], db: None) -> None:
    for first, last, name in (
        ("01kc", "01kcz", "A"),
        ("01kd", "01kdz", "B"),
        ("01kc", "01kdz", ""),
    ):
        LedgerExport.objects.create(
            file_name=name,
            first_id=first.ljust(26, "0"),
            last_id=last.ljust(26, "0"),
            until=NOW,
            begun_at=NOW,
            finished_at=NOW if name else None,
            sha256=name,
        )
    code, written = find(text, "--format", "json")
    found = [export["file"] for export in json.loads(written)["exports"]]
    assert (code, found) == (1, files)
    _, said = find(text)
    assert all(f"It may be in {name}, of 2025-12-" in said for name in files[:1])


def test_miss_names_every_export_where_the_time_is_not_known(db: None) -> None:
    for number in range(LIMIT + 1):
        first = f"01kc{number:022}"
        LedgerExport.objects.create(
            file_name=first, first_id=first, last_id=first, until=NOW, begun_at=NOW,
            finished_at=NOW, sha256="A",
        )  # fmt: skip
    written = find("ASIA5YGZIDLCJQ2VM7PX", "--format", "json")[1]
    assert len(json.loads(written)["exports"]) == LIMIT + 1


def test_miss_is_exit_code_1_and_says_what_was_tried(db: None) -> None:
    tried = "build slug, branch or tag, workflow, product, client, person"
    assert find("v1") == (1, f"Nothing found. Looked up as: {tried}.\n")


def test_miss_is_a_document_too(db: None) -> None:
    code, written = find("ASIA5YGZIDLCJQ2VM7PX", "--format", "json")
    assert code == 1
    nothing: dict[str, list[object]] = {"exports": [], "records": [], "findings": []}
    assert json.loads(written) == {"tried": ["access key id"], "limit": LIMIT} | nothing


def test_form_of_nothing_is_a_wrong_argument(db: None) -> None:
    secret = "0f" * 32
    with pytest.raises(CommandError, match="none of these: token, access key id,") as caught:
        find(secret)
    assert (caught.value.returncode, secret in str(caught.value)) == (2, False)


def test_object_of_no_build_is_said_to_have_none(product: Product, build: Build) -> None:
    assert "No build has this root" in find("guide/builds/nobodys/index.html")[1]
    assert "No build has this root" not in find(f"{build.root}/index.html")[1]


def test_key_of_a_disabled_client_is_not_simply_valid(caller: Caller) -> None:
    assert "status         valid\n" in find(caller.token_name)[1]
    Client.objects.update(is_active=False)
    assert "status         valid again if its client is enabled\n" in find(caller.token_name)[1]


def test_sessions_that_are_not_shown_are_mentioned(product: Product) -> None:
    for _ in range(LIMIT):
        issued_row()
    assert find("guide")[1].endswith(f"only the newest {LIMIT} are shown.\n")


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("around", ["{}", "Authorization: Bearer {}", "{}x"])
def test_secret_of_a_whole_token_is_nowhere(
    form: str, around: str, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    token = raw_key(caller)
    code, written = find(around.format(token), "--format", form)
    assert (code, caller.token_name in written) == (0, True)
    assert token.rpartition("_")[2] not in f"{written}{caplog.text}"
