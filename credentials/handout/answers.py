"""A job token as an answer: lines for a shell, or JSON."""

import secrets
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from rest_framework.response import Response

from credentials.access.jobs import MintedToken
from credentials.handout.facts import StepDelivery
from credentials.handout.github import github_lines
from credentials.handout.handing import step_of
from credentials.handout.serializers import ENV, JSON, JobTokenSerializer, render_job_token
from credentials.handout.shell import shell_lines
from ltdkeeper.wire import public_url

PLAIN_TEXT = "text/plain; charset=utf-8"
BOUNDARY_BYTES = 16
# For the OpenAPI document.
HANDOUT_RESPONSES: dict[Any, Any] = {
    (200, "application/json"): JobTokenSerializer,
    (200, "text/plain"): OpenApiTypes.STR,
}


def handout_answer(minted: MintedToken, *, form: str, delivery: StepDelivery) -> HttpResponseBase:
    """The answer in a form: `env`, `github` or `json`. Raises as `step_of` does."""
    if form == JSON:
        return Response(render_job_token(minted))
    step = step_of(minted, host=public_url(""), delivery=delivery)
    if form == ENV:
        return HttpResponse(shell_lines(step), content_type=PLAIN_TEXT)
    boundary = f"ltd_{secrets.token_hex(BOUNDARY_BYTES)}"
    return HttpResponse(github_lines(step, boundary=boundary), content_type=PLAIN_TEXT)
