"""Bugs of who may ask, and for what: ownership, grants, revoking, names given twice."""

from tests.proof.bugs.bug import bugs_in

OWNERSHIP = "tests/credentials/access/test_ownership.py"
# One test of the file: others race threads against each other, which takes long.
JOB_OWNERSHIP = (
    "tests/credentials/access/test_job_ownership.py"
    "::test_another_job_of_the_client_sees_and_touches_nothing_of_it"
)
SAME_RIGHTS = "tests/credentials/access/test_same_rights.py"
REGISTERING = "tests/builds/test_registering.py"

RIGHTS = "credentials/access/rights.py"

OWNERSHIP_BUGS = (
    bugs_in(
        RIGHTS,
        OWNERSHIP,
        key_mints_for_any_build_of_its_products=(
            "    if not right.may_write:\n",
            "    if False:\n",
        ),
        key_mints_for_any_product=(
            "        raise ProductNotGranted\n    relate(product, store=store)\n    relate(build",
            "        pass\n    relate(product, store=store)\n    relate(build",
        ),
    )
    | bugs_in(
        RIGHTS,
        JOB_OWNERSHIP,
        job_mints_for_any_build_of_its_client=(" AND r.job_token_id {job}", ""),
        job_closes_any_build_of_its_client=(
            'return _owned(openings, ids) if OF_JOB in openings else f"r.client_id',
            'return f"r.client_id',
        ),
    )
    | bugs_in(
        RIGHTS,
        "tests/http/test_who_may.py",
        job_deletes_any_build_of_its_client=(
            "owners.filter(job_token__publisher=caller.",
            "owners.exists() or owners.filter(job_token__publisher=caller.",
        ),
        publisher_does_not_outlast_its_jobs=("not _is_of_publisher(caller, right.build)", "True"),
    )
    | bugs_in(
        RIGHTS,
        SAME_RIGHTS,
        registration_of_any_build_will_do=(
            "LEFT JOIN credentials_registration r ON r.build_id = b.id",
            "LEFT JOIN credentials_registration r ON r.build_id > 0",
        ),
        grant_of_any_client_will_do=(" AND {alias}.{column} = {ids[part]}", ""),
        grant_of_any_product_will_do=("{alias}.product_id = p.id AND ", ""),
        right_read_with_the_token_counts_for_ever=("    caller.first_look.clear()\n", ""),
        right_read_with_the_token_counts_for_any_build=(" or row[0].pk != build_id", ""),
        limit_of_a_key_not_checked_again=(
            "        *([IS_UNLIMITED] if is_unlimited else []),\n",
            "",
        ),
    )
    | bugs_in(
        RIGHTS,
        "tests/credentials/access/test_rights.py",
        limited_key_opens_every_product=("OF_LIMITED_KEY: is_limited", "OF_LIMITED_KEY: False"),
        job_token_opens_products_it_is_not_for=(
            "OF_JOB: caller.job_token is not None",
            "OF_JOB: False",
        ),
        rule_opens_every_product=(
            "OF_PUBLISHER: caller.publisher is not None",
            "OF_PUBLISHER: False",
        ),
    )
)

REVOKING_BUGS = (
    bugs_in(
        "credentials/access/clients.py",
        "tests/credentials/access/test_keys.py",
        revoking_does_nothing=("locked.revoked_at = now\n", "pass\n"),
        access_token_outlives_its_key=("min(longest, caller.expires_at or longest)", "longest"),
    )
    | bugs_in(
        "credentials/access/clients.py",
        "tests/credentials/access/test_jobs.py",
        ending_a_job_token_does_nothing=("locked.ended_at = now\n", "pass\n"),
        job_token_outlives_what_it_comes_from=(
            "min([now + timedelta(seconds=seconds), *ends])",
            "now + timedelta(seconds=seconds)",
        ),
        job_token_of_an_ended_access_token=(
            "if token and held.filter(",
            "if False and held.filter(",
        ),
    )
    | bugs_in(
        "credentials/access/callers.py",
        "tests/credentials/access/test_callers.py",
        ended_token_is_let_in=("        or not caller.is_alive(now)\n", ""),
        access_token_outlives_its_revoked_key=(
            "(self.api_key is None or self.api_key.is_usable(now))",
            "(self.api_key is None or self.access_token or self.api_key.is_usable(now))",
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
        revoked_key_is_usable=("return self.revoked_at is None and (", "return ("),
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
    "builds/migrations/0011_version_1_0_0.py",
    REGISTERING,
    one_slug_registered_twice=(
        "models.UniqueConstraint(fields=('product', 'slug'), name='build_slug_once'), "
        "models.UniqueConstraint(fields=('root',), name='build_root_once'), ",
        "",
    ),
)

SEARCH_BUGS = bugs_in(
    "ltdkeeper/admin/find.py",
    "tests/ltdkeeper/admin/test_find.py",
    row_found_that_one_may_not_view=(" if may_view(request, type(_shown(row)))]", "]"),
    product_taken_for_the_build=(" if not lacks_build(identifier, row)", ""),
    pasted_text_left_in_the_request=("    request.POST = QueryDict()\n", ""),
    pasted_text_read_from_the_address=("request.POST.get(", "request.GET.get("),
)

FINDING_BUGS = bugs_in(
    "credentials/operations/lookup.py",
    "tests/credentials/operations/test_lookup.py",
    role_of_another_account_taken_for_a_session_s=(
        'role_arn__startswith=f"{roles}role/", ',
        "",
    ),
    key_in_another_bucket_taken_for_a_build_s=(
        '{"bucket_name": identifier.bucket} if identifier.bucket else {}',
        "{}",
    ),
)

CONFIGURATION_BUGS = bugs_in(
    "credentials/operations/configuration.py",
    tuple(
        f"tests/credentials/operations/test_configuration.py::test_{each}"
        for each in (
            "grants_are_added_and_removed_only_when_told",
            "frozen_fields_are_shown_and_refused",
            "disabled_issuer_takes_its_rules_along_and_enables_none",
            "what_was_disabled_is_enabled_only_when_told",
            "products_and_client_of_isolation_checks_are_not_exported",
        )
    ),
    grant_removed_without_being_told=(
        "and not prune:\n            value = sorted",
        "and False:\n            value = sorted",
    ),
    frozen_bucket_changed_by_a_file=("        if places:\n", "        if False:\n"),
    disabled_issuer_leaves_its_rules=("row.publishers.filter(is_active=True)", "[]"),
    rule_enabled_below_a_disabled_issuer=(
        "and row.is_active and not row.issuer.is_active",
        "and False",
    ),
    disabled_client_enabled_by_a_file=(
        "(False, True) and not enable",
        "(True, True) and not enable",
    ),
    client_of_the_checks_pruned=(".exclude(name=CANARY_CLIENT)", ""),
)

ACCESS_BUGS = (
    OWNERSHIP_BUGS
    | CONFIGURATION_BUGS
    | REVOKING_BUGS
    | REGISTERING_BUGS
    | FINDING_BUGS
    | SEARCH_BUGS
)
