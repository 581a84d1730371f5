"""Carries out a finding's commands as somebody would who pastes them into a shell.

The AWS CLI is no part of the tests; it makes the same calls from botocore's same models.
"""

import json
import shlex
from collections.abc import Iterator
from typing import Any

from credentials.doctor.findings import Finding
from tests.credentials.doctor.embedded_account import Account


def commands_of(finding: Finding) -> list[str]:
    return [line for line in finding.change.split("\n") if line.startswith("aws ")]


def paste(command: str, account: Account) -> None:
    """Make the call of one command. An operation or option that does not exist is an error."""
    _, service, operation, *words = shlex.split(command)
    client = {"iam": account.iam, "s3api": account.s3}[service]
    method = operation.replace("-", "_")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])
    members = {name.lower(): name for name in model.input_shape.members}
    arguments = {}
    for option, text in _options(words):
        if option != "endpointurl":
            name = members[option]
            arguments[name] = _value(text, model.input_shape.members[name].type_name)
    getattr(client, method)(**arguments)


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Names without their hyphens, as they stand in the model but for case."""
    while words:
        name = words.pop(0).removeprefix("--").replace("-", "")
        yield name, "" if not words or words[0].startswith("--") else words.pop(0)


def _value(text: str, type_name: str) -> Any:
    if type_name == "boolean":
        return True
    return text if type_name == "string" else json.loads(text)
