"""Which claims a rule may name at each kind of issuer."""

from credentials.rules.publishers import GITHUB, GITLAB, NEVER_CONDITIONS, IssuerKind, claims_of

# kind of issuer, claim -> may be named
NAMED = {
    "identifying": (IssuerKind.GITHUB, "repository_id", True),
    "further": (IssuerKind.GITHUB, "event_name", True),
    "name that can be taken over": (IssuerKind.GITHUB, "repository", False),
    "another kind's": (IssuerKind.GITHUB, "project_id", False),
    "identifying at GitLab": (IssuerKind.GITLAB, "project_id", True),
    "path that can be taken over": (IssuerKind.GITLAB, "project_path", False),
    "any of another issuer": (IssuerKind.OTHER, "pipeline_id", True),
    "with a namespace": (IssuerKind.OTHER, "https://example.org/pipeline", True),
    "100 characters": (IssuerKind.OTHER, "c" * 100, True),
    "101 characters": (IssuerKind.OTHER, "c" * 101, False),
    "empty": (IssuerKind.OTHER, "", False),
    "with a line feed": (IssuerKind.OTHER, "pipeline_id\n", False),
    "with a space": (IssuerKind.OTHER, "pipeline id", False),
}


def test_claim_may_be_named_where_it_is_known() -> None:
    for case, (kind, claim, expected) in NAMED.items():
        assert claims_of(kind, ["organization_id"]).may_be_named(claim) is expected, case


def test_sub_and_what_is_always_checked_is_never_a_condition() -> None:
    for kind in IssuerKind:
        assert {"sub", "iss", "aud", "exp", "iat", "nbf", "jti"} == NEVER_CONDITIONS, kind
        named = [
            claim for claim in NEVER_CONDITIONS if claims_of(kind, [claim]).may_be_named(claim)
        ]
        assert named == [], kind


def test_each_kind_has_its_own_claims() -> None:
    assert claims_of(IssuerKind.GITHUB, ["x"]) is GITHUB
    assert claims_of(IssuerKind.GITLAB, ["x"]) is GITLAB
    assert claims_of(IssuerKind.OTHER, ["x", "y"]).identifying == ("x", "y")
    assert claims_of(IssuerKind.OTHER).identifying == ()
