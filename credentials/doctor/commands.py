"""Command lines of the AWS CLI, ready to be pasted into a shell. Pure."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from credentials.doctor.expected import Expected

PLACED = ("s3api", "kms")
ARN = "arn:"


def aws(expected: Expected, call: str, **options: Any) -> str:
    """A call of the CLI to a store. Names have underscores; a mapping becomes JSON, True a flag."""
    place: dict[str, Any] = {}
    if expected.endpoint_url:
        place["endpoint_url"] = expected.endpoint_url
    elif call.startswith(PLACED):
        place["region"] = expected.region
    return " ".join(["aws", call, *(_option(*each) for each in (options | place).items())])


def removal(expected: Expected, *, kind: str, owner: str, policy: str) -> str:
    """How a `user` or `role` loses a policy; an attached one is named by its ARN."""
    who = {f"{kind}_name": owner}
    if policy.startswith(ARN):
        return aws(expected, f"iam detach-{kind}-policy", **who, policy_arn=policy)
    return aws(expected, f"iam delete-{kind}-policy", **who, policy_name=policy)


def fragment(document: Mapping[str, Any]) -> str:
    """A policy or a statement of one, as somebody reads and adds it."""
    return json.dumps(document)


def _option(name: str, value: Any) -> str:
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        return flag
    # Compact, since Ceph reads no other policies.
    is_json = isinstance(value, Mapping)
    text = json.dumps(value, separators=(",", ":"), default=str) if is_json else str(value)
    return f"{flag} {shlex.quote(text)}"
