"""The OpenAPI document as schemathesis reads it: what it may send, and what it checks of responses.

Imported by the tests that use it alone, since schemathesis takes a second to load.
"""

from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from django.test import Client as Browser
from requests.adapters import BaseAdapter
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from urllib3 import HTTPResponse

from ltdkeeper.api.schema import made_document

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
CASES = {
    each.ok().definition.raw["operationId"]: each.ok().as_strategy()
    for each in schemathesis.openapi.from_dict(made_document()).get_all_operations()
}


class InProcess(BaseAdapter):
    """Requests go to Django's test client, as the server would make them."""

    def __init__(self, shown: dict[str, str]) -> None:
        super().__init__()
        self._client = Browser(raise_request_exception=False)
        self.shown = shown

    def send(self, request: Any, *_args: Any, **_kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url)
        answer = self._client.generic(
            request.method,
            f"{parts.path}?{parts.query}",
            request.body or b"",
            content_type=request.headers.get("Content-Type", ""),
            secure=True,
            **self.shown,
        )
        response = requests.Response()
        response.status_code, response._content = answer.status_code, answer.content
        response.headers.update(answer.headers)
        response.raw = HTTPResponse(headers=dict(answer.headers), status=answer.status_code)
        response.request, response.url = request, request.url
        return response

    def close(self) -> None:
        pass
