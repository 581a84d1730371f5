"""`manage.py audit_bucket`: every store, what it holds and how that grew, exit codes for cron."""

import json
from io import StringIO
from typing import Any

import pytest
import time_machine
from botocore.exceptions import ClientError, EndpointConnectionError
from django.core.management import CommandError, call_command

from builds.models import Store
from credentials.models import JobRun
from ltdkeeper.management import outcomes
from tests.conftest import ROLE_ARN
from tests.credentials.ledger_rows import NOW
from tests.credentials.operations.audit.planted import PLANTED, World


@pytest.fixture(autouse=True)
def _auditor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "profile_session", lambda profile: profile or None)


def audit(*arguments: str) -> tuple[int, str, str]:
    """Exit code, what was written, and the errors."""
    out, err = StringIO(), StringIO()
    options = {"profile": "auditor", "stdout": out, "stderr": err}
    try:
        with time_machine.travel(NOW, tick=False):
            call_command("audit_bucket", *arguments, **options)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def document(*arguments: str) -> tuple[int, Any]:
    code, text, _ = audit(*arguments, "--format", "json")
    return code, json.loads(text)


def test_bucket_in_order_is_0_and_its_figures(world: World) -> None:
    code, text, _ = audit()
    assert code == 0
    assert text.splitlines()[:2] == ["Findings: 0", "Store main:"]
    assert len(text.splitlines()) == 3
    assert text.splitlines()[2].startswith("  guide/ ")


def test_finding_is_1_and_growth_is_since_the_last_whole_run(world: World) -> None:
    assert document()[0] == 0
    PLANTED["in a folder of nobody"][1](world)
    assert document("--product", "guide")[0] == 0  # looks at nothing else
    code, told = document("main")
    assert (code, told["counts"]) == (1, {"object_outside_builds": 1})
    guide, secret = told["stores"]["main"]["usage"]
    assert (guide["folder"], guide["more_objects"], guide["more_bytes"]) == ("guide/", 0, 0)
    assert (secret["folder"], secret["more_objects"], secret["more_bytes"]) == ("secret/", 1, 10)
    run = JobRun.objects.latest("pk")
    assert run.looked_at == {"objects": guide["objects"] + 1, "bytes": guide["bytes"] + 10}
    assert "(+0, +0)" in audit()[1]


def test_one_product_closes_no_finding_of_the_others(world: World) -> None:
    PLANTED["in a folder of nobody"][1](world)
    assert [document()[0], document("--product", "guide")[0]] == [1, 0]
    assert document()[1]["findings"][0]["is_new"] is False


def test_store_that_fails_is_3_and_leaves_the_others_their_turn(world: World) -> None:
    Store.objects.create(name="another", bucket="another-docs", role_arn=ROLE_ARN)
    world.bucket.error = EndpointConnectionError(endpoint_url="https://s3.example.org")
    code, told = document()
    assert code == 3
    assert {
        name: "Could not connect" in each["failure"] for name, each in told["stores"].items()
    } == {
        "another": True,
        "main": True,
    }
    assert set(JobRun.objects.values_list("state", flat=True)) == {"failed"}


def test_right_that_is_missing_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: str) -> None:
        answer: Any = {
            "Error": {"Code": "AccessDenied"},
            "ResponseMetadata": {"HTTPStatusCode": 403},
        }
        raise ClientError(answer, "AbortMultipartUpload")

    PLANTED["upload of two days"][1](world)
    monkeypatch.setattr(world.bucket, "abort_multipart_upload", refuse)
    code, text, errors = audit("--abort")
    assert (code, text) == (3, "Findings: 0\n")
    assert "needs the right s3:AbortMultipartUpload" in errors


def test_uploads_that_were_aborted_are_no_findings(world: World) -> None:
    PLANTED["upload of two days"][1](world)
    assert audit()[0] == 1
    code, text, _ = audit("--abort")
    assert code == 0
    assert "Store main: aborted 1 uploads." in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["--profile", ""],
        ["--product", "a/b"],
        ["--product", "guid"],
        ["elsewhere"],
        ["--jobs", "0"],
    ],
    ids=" ".join,
)
def test_wrong_argument_is_2(arguments: list[str], store: Store) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("audit_bucket", "--profile", "auditor", *arguments)
    assert caught.value.returncode == 2
