"""A handout as an answer: lines for a shell, or JSON."""

import secrets

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.response import Response

from credentials.handout.facts import StepDelivery
from credentials.handout.github import github_lines
from credentials.handout.handing import JobHandout, step_of
from credentials.handout.serializers import ENV, JSON, render_job_token
from credentials.handout.shell import shell_lines

PLAIN_TEXT = "text/plain; charset=utf-8"
BOUNDARY_BYTES = 16


def handout_answer(handout: JobHandout, *, form: str, delivery: StepDelivery) -> HttpResponseBase:
    """The answer in a form: `env`, `github` or `json`. Raises as `step_of` does."""
    if form == JSON:
        return Response(render_job_token(handout))
    step = step_of(handout, host=settings.LTD_PUBLIC_URL, delivery=delivery)
    if form == ENV:
        return HttpResponse(shell_lines(step), content_type=PLAIN_TEXT)
    boundary = f"ltd_{secrets.token_hex(BOUNDARY_BYTES)}"
    return HttpResponse(github_lines(step, boundary=boundary), content_type=PLAIN_TEXT)
