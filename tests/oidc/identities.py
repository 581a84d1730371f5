"""Claim sets as GitHub and GitLab sign them.

GitHub: "OpenID Connect reference" (docs.github.com), with the claims that PyPI has met besides.
GitLab: "OpenID Connect (OIDC) authentication using ID tokens" (docs.gitlab.com), its example.
"""

import itertools
from typing import Any

from tests.oidc.issuer import seconds_from_now

AUDIENCE = "https://keeper.example.org"
_numbers = itertools.count(1)


def _times(life_seconds: float) -> dict[str, Any]:
    moments = {"iat": 0.0, "nbf": -5.0, "exp": life_seconds}
    return {name: seconds_from_now(seconds) for name, seconds in moments.items()}


def github(issuer: str, **changes: Any) -> dict[str, Any]:
    """A push to main of octo-org/octo-repo; None takes a claim away."""
    sha = "c040cae0f0dc81641728557b80f09cfa23b83fe5"
    workflow = "octo-org/octo-repo/.github/workflows/docs.yml@refs/heads/main"
    claims = {
        "jti": f"example-id-{next(_numbers)}",
        "sub": "repo:octo-org/octo-repo:ref:refs/heads/main",
        "aud": AUDIENCE,
        "ref": "refs/heads/main",
        "sha": sha,
        "repository": "octo-org/octo-repo",
        "repository_owner": "octo-org",
        "repository_owner_id": "65",
        "run_id": "22259804324",
        "run_number": "10",
        "run_attempt": "2",
        "repository_visibility": "private",
        "repository_id": "74",
        "actor_id": "12",
        "actor": "octocat",
        "workflow": "docs",
        "head_ref": "",
        "base_ref": "",
        "event_name": "push",
        "ref_protected": "true",
        "ref_type": "branch",
        "workflow_ref": workflow,
        "workflow_sha": sha,
        "job_workflow_ref": workflow,
        "job_workflow_sha": sha,
        "runner_environment": "github-hosted",
        "check_run_id": "90000001",
        "enterprise": "octo-enterprise",
        "enterprise_id": "7",
        "iss": issuer,
        **_times(300),
    }
    return _changed(claims, changes)


def gitlab(issuer: str, **changes: Any) -> dict[str, Any]:
    """A push to main of my-group/my-project; None takes a claim away."""
    sha = "714a629c0b401fdce83e847fc9589983fc6f46bc"
    claims = {
        "namespace_id": "72",
        "namespace_path": "my-group",
        "project_id": "20",
        "project_path": "my-group/my-project",
        "user_id": "1",
        "user_login": "sample-user",
        "user_email": "sample-user@example.com",
        "user_access_level": "developer",
        "user_identities": [{"provider": "github", "extern_uid": "2435223452345"}],
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "ref": "main",
        "ref_type": "branch",
        "ref_path": "refs/heads/main",
        "ref_protected": "true",
        "groups_direct": ["my-group/my-subgroup"],
        "job_source": "push",
        "runner_id": 1,
        "runner_environment": "self-hosted",
        "sha": sha,
        "project_visibility": "public",
        "ci_config_ref_uri": "gitlab.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main",
        "ci_config_sha": sha,
        "jti": f"235b3a54-b797-45c7-ae9a-{next(_numbers):012}",
        "iss": issuer,
        "sub": "project_path:my-group/my-project:ref_type:branch:ref:main",
        "aud": AUDIENCE,
        **_times(3600),
    }
    return _changed(claims, changes)


def _changed(claims: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (claims | changes).items() if value is not None}
