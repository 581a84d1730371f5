"""A program for the embedded store's virtual environment: answers what its IAM evaluator allows.

One JSON list of questions per line of standard input, one JSON list of answers per line of output.
It ends with its standard input, and imports nothing of the project.
"""

import json
import sys
from functools import lru_cache
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

ACCOUNT = "123456789012"


parsed = lru_cache(maxsize=512)(parse_policy_document)


def answer(question: dict[str, Any]) -> bool:
    """Whether role, boundary and session policy together allow the request."""
    context = EvalContext(
        principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/upload/session",
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=question["action"],
        resource_arn=question["resource"],
        region="eu-central-1",
        service_context=question["context"],
    )
    role, *limits = [
        [parsed(question[layer])] for layer in ("role", "boundary", "session") if question[layer]
    ]
    return bool(evaluate(context, role, *limits).decision == "Allow")


def main() -> None:
    for line in sys.stdin:
        sys.stdout.write(json.dumps([answer(question) for question in json.loads(line)]) + "\n")
        sys.stdout.flush()


main()
