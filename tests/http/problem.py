"""What every refusal looks like: an RFC 9457 document that tells nothing of the inside."""

import json
from typing import Any

MEDIA_TYPE = "application/problem+json"
NEVER_TOLD = ("Traceback", "<html", "<!doctype", "site-packages", "sqlite", "arn:aws", "botocore")


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    """Hold an answer to the form of problems, and return the document."""
    assert response.status_code == status, response.content[:500]
    assert response["Content-Type"] == MEDIA_TYPE
    document: dict[str, Any] = json.loads(response.content)
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"] == f"urn:ltdkeeper:problem:{code}"
    assert document["title"]
    assert isinstance(document["message"], str)
    assert document["message"] == document["detail"] != ""
    assert_tells_nothing(response.content.decode())
    return document


def assert_tells_nothing(text: str) -> None:
    """No page, no traceback, nothing of the libraries and the cloud behind the service."""
    assert [word for word in NEVER_TOLD if word.lower() in text.lower()] == []
