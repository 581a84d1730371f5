"""What a store, or the service, answered: status and code, nothing else counts as a refusal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import requests
from botocore.exceptions import ClientError

from credentials.vending.store_errors import error_code


@dataclass(frozen=True)
class Answer:
    """An HTTP status with the error code; the code is empty when there was no error."""

    status: int
    code: str = ""


ACCEPTED = Answer(200)
REFUSED = Answer(403, "AccessDenied")
# Refusals that look otherwise. An answer to HEAD has no body to hold a code, and botocore repeats
# the status; several keys are answered together, with each key's refusal in the answer.
OTHER_REFUSALS = {"head": Answer(403, "403"), "delete several": Answer(200, "AccessDenied")}


def answer_to(act: Callable[[], Any]) -> Answer:
    """Make a call to the store. Anything but an answer (a time-out, say) is raised.

    Calls about several objects answer 200 and name what went wrong with each.
    """
    try:
        made = act()
    except ClientError as err:
        return Answer(err.response["ResponseMetadata"]["HTTPStatusCode"], error_code(err))
    errors = made.get("Errors", [])
    return Answer(made["ResponseMetadata"]["HTTPStatusCode"], errors[0]["Code"] if errors else "")


def answers_to(calls: Mapping[str, Callable[..., Any]], *arguments: Any) -> dict[str, Answer]:
    """The same for several calls by name, each made with the same arguments."""
    return {name: answer_to(partial(call, *arguments)) for name, call in calls.items()}


def http_answer(response: requests.Response) -> Answer:
    """The service's answer: its problems carry a code."""
    return Answer(response.status_code, "" if response.ok else response.json()["code"])
