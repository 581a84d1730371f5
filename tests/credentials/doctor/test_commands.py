"""Commands that a shell reads as they are meant."""

import json
import shlex

from credentials.doctor.commands import aws, removal
from tests.credentials.doctor.aws_account import expected

CEPH = "https://s3.example.org"


def test_options_are_words_of_their_own() -> None:
    command = aws(expected(), "iam update-role", role_name="a b", max_session_duration=3600)
    assert shlex.split(command) == [
        *("aws", "iam", "update-role"),
        *("--role-name", "a b", "--max-session-duration", "3600"),
    ]


def test_document_is_compact_json_in_one_word() -> None:
    document = {"Statement": [{"Action": ["a", "b"]}]}
    word = shlex.split(aws(expected(), "iam put-role-policy", policy_document=document))[-1]
    assert json.loads(word) == document
    assert " " not in word


def test_flag_has_no_value() -> None:
    assert aws(expected(), "iam x", set_as_default=True).endswith(" --set-as-default")


def test_bucket_is_reached_in_its_region_and_another_store_by_its_endpoint() -> None:
    elsewhere = expected(endpoint_url=CEPH)
    assert aws(expected(), "s3api x").endswith(" --region eu-central-1")
    assert aws(expected(), "iam x") == "aws iam x"
    assert aws(elsewhere, "s3api x") == f"aws s3api x --endpoint-url {CEPH}"


def test_attached_policy_is_removed_by_its_arn() -> None:
    named = {"kind": "role", "owner": "upload"}
    assert removal(expected(), policy="more", **named).endswith("--policy-name more")
    assert "detach-role-policy" in removal(expected(), policy="arn:aws:iam::1:policy/x", **named)
