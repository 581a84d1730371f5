"""An identity token for a job token that can do its work, and only its work."""

from datetime import datetime

import pytest

from credentials.models import JobToken, TrustedPublisher
from tests.conftest import api_for
from tests.fake_sts import FakeSts
from tests.oidc.conftest import Show

pytestmark = [pytest.mark.django_db, pytest.mark.loopback]


def test_github_push_gets_a_job_token(show: Show, publisher: TrustedPublisher, signed) -> None:
    answer = show(signed())
    assert answer.status_code == 200, answer.content
    document = answer.json()
    row = JobToken.objects.get()
    assert document["token"].startswith(f"{row.token_name}_")
    assert (row.client, row.publisher, row.api_key) == (publisher.client, publisher, None)
    assert (document["products"], document["username"]) == (["guide"], "ci")
    expires_at = datetime.fromisoformat(document["expires_at"])
    assert expires_at == row.expires_at
    assert document["host"] == "https://keeper.example.org"
    assert row.identity == "octo-org/octo-repo push refs/heads/main 22259804324 2"


def test_job_uploads_with_what_it_got(
    show: Show, publisher: TrustedPublisher, signed, sts: FakeSts
) -> None:
    job = api_for(show(signed()).json()["token"])
    build = job.post("/products/guide/builds/", {"git_refs": ["main"]}).json()
    path = build["self_url"].removeprefix("https://keeper.example.org")
    assert job.get("/credentials?product=guide").status_code == 200
    assert job.post(f"{path}/credentials").status_code == 200
