"""Bugs of who may ask, and for what: ownership, grants, withdrawing, names given twice."""

from tests.proof.bugs.bug import bugs_in

OWNERSHIP = "tests/credentials/access/test_ownership.py"
# One test of the file: others race threads against each other, which takes long.
JOB_OWNERSHIP = (
    "tests/credentials/access/test_job_ownership.py"
    "::test_another_job_of_the_client_sees_and_touches_nothing_of_it"
)
SAME_RIGHTS = "tests/credentials/access/test_same_rights.py"
REGISTERING = "tests/builds/test_registering.py"

OWNERSHIP_BUGS = (
    bugs_in(
        "credentials/access/rights.py",
        OWNERSHIP,
        key_mints_for_any_build_of_its_products=("    if not right.owned:\n", "    if False:\n"),
        key_mints_for_any_product=("    if not right.granted:\n", "    if False:\n"),
    )
    | bugs_in(
        "credentials/access/rights.py",
        SAME_RIGHTS,
        registration_of_any_build_will_do=(
            'Registration.objects.filter(build=OuterRef("pk"))',
            "Registration.objects.all()",
        ),
        open_build_of_any_job_will_do=(
            "return Q(client=caller.client, job_token=caller.job_token)",
            "return Q(client=caller.client)",
        ),
    )
    | bugs_in(
        "credentials/access/rights.py",
        JOB_OWNERSHIP,
        job_mints_for_any_build_of_its_client=(
            "owned = is_clients and owner_job_id == job_id",
            "owned = is_clients",
        ),
        job_closes_any_build_of_its_client=(
            "return owned, owned if job_id else is_clients",
            "return owned, is_clients",
        ),
    )
    | bugs_in(
        "credentials/access/rights.py",
        SAME_RIGHTS,
        grant_of_any_client_will_do=(
            "g.product_id = p.id AND g.client_id = %s",
            "g.product_id = p.id AND %s IS NOT NULL",
        ),
        key_limited_to_other_products_mints=(
            "wanted = [True, _is_limited(caller),",
            "wanted = [True, False,",
        ),
        limit_of_a_key_not_checked_again=('(["limited key"] if is_limited else [])', "[]"),
        products_of_a_job_not_checked_again=(
            'for name in ("publisher", "job_token") if name in shown',
            'for name in ("publisher",) if name in shown',
        ),
        products_of_a_rule_not_checked_again=(
            'for name in ("publisher", "job_token") if name in shown',
            'for name in ("job_token",) if name in shown',
        ),
    )
    | bugs_in(
        "credentials/access/rights.py",
        SAME_RIGHTS,
        grant_of_any_product_will_do=(
            "Grant.objects.filter(client=caller.client, product=product)",
            "Grant.objects.filter(client=caller.client)",
        ),
    )
    | bugs_in(
        "credentials/access/rights.py",
        "tests/credentials/access/test_rights.py",
        limited_key_opens_every_product=(
            "if caller.api_key and not caller.api_key.all_products:",
            "if False:",
        ),
    )
    | bugs_in(
        "credentials/access/rights.py",
        "tests/credentials/access/test_rights.py",
        job_token_opens_products_it_is_not_for=(
            "    if caller.job_token:\n        asked_for",
            "    if False:\n        asked_for",
        ),
        rule_opens_every_product=("    if caller.publisher:\n", "    if False:\n"),
    )
)

WITHDRAWING_BUGS = (
    bugs_in(
        "credentials/access/clients.py",
        "tests/credentials/access/test_keys.py",
        withdrawing_does_nothing=("locked.withdrawn_at = now\n", "pass\n"),
        key_session_outlives_its_key=("min(longest, caller.expires_at or longest)", "longest"),
    )
    | bugs_in(
        "credentials/access/clients.py",
        "tests/credentials/access/test_jobs.py",
        ending_a_job_token_does_nothing=("locked.ended_at = now\n", "pass\n"),
        job_token_outlives_what_it_is_told=(
            "min(expires_at, not_after or expires_at)",
            "expires_at",
        ),
    )
    | bugs_in(
        "credentials/access/callers.py",
        "tests/credentials/access/test_callers.py",
        ended_token_is_let_in=("        or not caller.is_alive(now)\n", ""),
        key_session_outlives_its_withdrawn_key=(
            "(self.api_key is None or self.api_key.is_usable(now))",
            "(self.api_key is None or self.key_session or self.api_key.is_usable(now))",
        ),
    )
    | bugs_in(
        "credentials/access/callers.py",
        "tests/credentials/access/test_callers.py",
        key_taken_from_any_network=("        or not caller.may_come_from(address)\n", ""),
    )
    | bugs_in(
        "credentials/models/tokens.py",
        "tests/credentials/access/test_callers.py",
        withdrawn_key_is_usable=("return self.withdrawn_at is None and (", "return ("),
    )
    | bugs_in(
        "credentials/models/tokens.py",
        "tests/credentials/access/test_jobs.py",
        ended_job_token_is_usable=("return self.ended_at is None and ", "return "),
    )
)

REGISTERING_BUGS = bugs_in(
    "builds/services.py",
    REGISTERING,
    chosen_slug_continues_a_server_made_one=(
        "if slug is not None and continues_server_made_slug(product, slug):",
        "if False:",
    ),
    free_slug_looked_for_instead_of_decided_by_the_index=(
        "chosen = new_build_slug(now) if slug is None else slug",
        "chosen = slug or new_build_slug(now)\n"
        "    while product.builds.filter(slug=chosen).exists():\n"
        "        chosen += '-2'",
    ),
) | bugs_in(
    "builds/migrations/0001_initial.py",
    REGISTERING,
    one_slug_registered_twice=(
        "models.UniqueConstraint(fields=('product', 'slug'), name='build_slug_once'), "
        "models.UniqueConstraint(fields=('root',), name='build_root_once'), ",
        "",
    ),
)

ACCESS_BUGS = OWNERSHIP_BUGS | WITHDRAWING_BUGS | REGISTERING_BUGS
