"""Bugs of identity tokens: whose are believed, how often, and which keys verify them."""

from tests.proof.bugs.bug import bugs_in

IDENTITY_TOKENS = "credentials/access/identity_tokens.py"

IDENTITY_TOKEN_BUGS = (
    bugs_in(
        IDENTITY_TOKENS,
        "tests/credentials/access/test_identity_tokens.py",
        critical_headers_are_overlooked=(
            'if {"crit", "b64"} & unverified_header.keys():',
            "if False:",
        ),
        any_algorithm_will_do=('if unverified_header.get("alg") not in ALGORITHMS:', "if False:"),
        last_of_two_equal_claims_counts=("if len(members) != len(pairs):", "if False:"),
    )
    | bugs_in(
        IDENTITY_TOKENS,
        "tests/oidc/test_bad_tokens.py",
        token_for_other_services_too=('if claims["aud"] not in (ours, [ours]):', "if False:"),
        token_that_lives_for_years=(
            "+ LONGEST_LIFE).timestamp()",
            "+ 99 * LONGEST_LIFE).timestamp()",
        ),
    )
    | bugs_in(
        IDENTITY_TOKENS,
        "tests/oidc/test_keys.py",
        keys_from_where_the_issuer_points=(
            "build_opener(_NoRedirects(), https)",
            "build_opener(https)",
        ),
        keys_of_any_size=("if len(answer) > MAX_ANSWER_BYTES:", "if False:"),
    )
    | bugs_in(
        IDENTITY_TOKENS,
        "tests/oidc/test_once.py",
        identity_token_used_twice=("raise ReusedToken from None", "return"),
    )
    | bugs_in(
        "credentials/access/publishers.py",
        "tests/oidc/test_rules.py",
        disabled_rule_mints=('{"is_active": True, "issuer__', '{"issuer__'),
        job_gets_products_by_chance=("if any(more.keys() - products.keys()", "if any(()"),
    )
)
