"""Claim sets as CI providers and AWS sign them, each with its source.

GitHub: "OpenID Connect reference" (docs.github.com), with the claims that PyPI has met besides.
GitLab: "OpenID Connect (OIDC) authentication using ID tokens" (docs.gitlab.com), its example.
"""

import itertools
from typing import Any

from tests.oidc.issuer import seconds_from_now

AUDIENCE = "https://keeper.example.org"
PROJECT = "a2c4e6a8-0000-4000-8000-000000000002"
_numbers = itertools.count(1)


def _times(life_seconds: float) -> dict[str, Any]:
    moments = {"iat": 0.0, "nbf": -5.0, "exp": life_seconds}
    return {name: seconds_from_now(seconds) for name, seconds in moments.items()}


def github(issuer: str, /, **changes: Any) -> dict[str, Any]:
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


def gitlab(issuer: str, /, **changes: Any) -> dict[str, Any]:
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


def circleci(issuer: str, /, **changes: Any) -> dict[str, Any]:
    """A job in which `circleci run oidc get` asked for our audience.

    "OpenID Connect tokens in jobs" and "OIDC tokens with custom claims" (circleci.com/docs); the
    claims of 2025: "New OIDC Custom Claims" (discuss.circleci.com/t/54214).
    """
    organization, project = "a2c4e6a8-0000-4000-8000-000000000001", PROJECT
    namespace = "oidc.circleci.com"
    claims = {
        "aud": AUDIENCE,
        "iss": issuer,
        "sub": f"org/{organization}/project/{project}/user/a2c4e6a8-0000-4000-8000-000000000003",
        f"{namespace}/org-id": organization,
        f"{namespace}/project-id": project,
        f"{namespace}/context-ids": ["a2c4e6a8-0000-4000-8000-000000000004"],
        f"{namespace}/job-id": "a2c4e6a8-0000-4000-8000-000000000005",
        f"{namespace}/pipeline-id": "a2c4e6a8-0000-4000-8000-000000000006",
        f"{namespace}/pipeline-definition-id": "a2c4e6a8-0000-4000-8000-000000000007",
        f"{namespace}/workflow-id": "a2c4e6a8-0000-4000-8000-000000000008",
        f"{namespace}/ssh-rerun": False,
        f"{namespace}/vcs-origin": "github.com/octo-org/octo-repo",
        f"{namespace}/vcs-ref": "refs/heads/main",
        **_times(3600),
    }
    return _changed(claims, changes)


def bitbucket(issuer: str, /, **changes: Any) -> dict[str, Any]:
    """A step with `oidc: audiences:`, which are signed as a list.

    "Integrate Pipelines with resource servers using OIDC" (support.atlassian.com) and "Bitbucket
    Pipelines OIDC now supports multiple audiences" (atlassian.com/blog).
    """
    claims = {
        "iss": issuer,
        "aud": [AUDIENCE],
        "sub": f"{{{PROJECT}}}:{{a2c4e6a8-0000-4000-8000-000000000005}}",
        "branchName": "main",
        "pipelineUuid": "{a2c4e6a8-0000-4000-8000-000000000006}",
        "repositoryUuid": f"{{{PROJECT}}}",
        "stepUuid": "{a2c4e6a8-0000-4000-8000-000000000005}",
        "workspaceUuid": "{a2c4e6a8-0000-4000-8000-000000000001}",
        **_times(3600),
    }
    return _changed(claims, changes)


def buildkite(issuer: str, /, **changes: Any) -> dict[str, Any]:
    """`buildkite-agent oidc request-token --audience ... --claim pipeline_id`.

    "buildkite-agent oidc" (buildkite.com/docs); a whole token: rubygems/rubygems.org issue 5412.
    """
    commit = "b5ffe3aeea51cec6c41aef16e45ee6bce47d8810"
    claims = {
        "iss": issuer,
        "sub": f"organization:octo:pipeline:docs:ref:refs/heads/main:commit:{commit}:step:",
        "aud": AUDIENCE,
        "jti": f"0194b014-8517-7cef-b232-{next(_numbers):012}",
        "organization_slug": "octo",
        "pipeline_slug": "docs",
        "pipeline_id": PROJECT,
        "build_number": 5,
        "build_branch": "main",
        "build_commit": commit,
        "job_id": "01945ecf-80f0-41e8-9b83-a2970a9305a1",
        "agent_id": "01945ecf-8bcf-40a6-9d70-a765db9a0928",
        "build_source": "ui",
        "runner_environment": "buildkite-hosted",
        **_times(300),
    }
    return _changed(claims, changes) | {"build_tag": None, "step_key": None}


def jenkins(issuer: str, /, **changes: Any) -> dict[str, Any]:
    """The plugin oidc-provider with a claim template `job`; by itself it signs all but that.

    README of jenkinsci/oidc-provider-plugin, "Configuring claims", and its IdTokenCredentials.java.
    """
    claims = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": "https://jenkins.example.org/job/docs/",
        "build_number": 7,
        "job": "docs",
        **_times(3600),
    }
    return _changed(claims, changes)


def azure_devops(issuer: str, /, **changes: Any) -> dict[str, Any]:
    """What `$SYSTEM_OIDCREQUESTURI` answers a pipeline with; nothing in it can be chosen.

    "Oidctoken - Create" (learn.microsoft.com); a whole token: sigstore/fulcio issue 1803.
    """
    claims = {
        "jti": f"a2c4e6a8-0000-4000-8000-{next(_numbers):012}",
        "sub": "p://example/docs/docs",
        "aud": "api://AzureADTokenExchange",
        "org_id": "a2c4e6a8-0000-4000-8000-000000000001",
        "prj_id": PROJECT,
        "def_id": "12",
        "rpo_id": "a2c4e6a8-0000-4000-8000-000000000003",
        "rpo_uri": "https://dev.azure.com/example/docs/_git/docs",
        "rpo_ver": "b5ffe3aeea51cec6c41aef16e45ee6bce47d8810",
        "rpo_ref": "refs/heads/main",
        "run_id": "345",
        "iss": issuer,
        **_times(600),
    }
    return _changed(claims, changes)


def aws(issuer: str, /, **changes: Any) -> dict[str, Any]:
    """`sts:GetWebIdentityToken`; its `Audience` is a list of one to ten.

    "Understanding token claims" (docs.aws.amazon.com, IAM user guide).
    """
    claims = {
        "iss": issuer,
        "aud": [AUDIENCE],
        "sub": "arn:aws:iam::123456789012:role/DocsBuild",
        "jti": f"xyz123-def456-{next(_numbers)}",
        "https://sts.amazonaws.com/": {
            "aws_account": "123456789012",
            "source_region": "us-east-1",
            "org_id": "o-abc1234567",
            "principal_tags": {"team": "docs"},
            "request_tags": {"job-id": "job-2024-001"},
        },
        **_times(300),
    }
    return _changed(claims, changes)
