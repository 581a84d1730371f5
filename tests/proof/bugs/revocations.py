"""Bugs that let a revoked session live on, or stop somebody else's."""

from tests.proof.bugs.bug import bugs_in

RULES = "tests/credentials/rules/test_revocation.py"
POLICY = "tests/credentials/operations/test_revocation_policy.py"
RECORDING = "tests/credentials/operations/test_revoking.py"

DOCUMENT_BUGS = bugs_in(
    "credentials/rules/revocation.py",
    RULES,
    revoking_stops_every_session=('return f"*:{self.ledger_id}-*"', 'return "*"'),
    revoking_stops_sessions_to_come=("min(bystanders.get(slug, now), now)", "now"),
    revoking_forgets_the_stores_clock=(
        "min(bystanders.get(slug, now), now) - CLOCK_TOLERANCE",
        "now",
    ),
    revoking_stops_products_that_begin_alike=(
        '64 - ULID_LENGTH - len("-") - 1',
        '64 - ULID_LENGTH - len("-")',
    ),
    revoking_stops_products_that_end_alike=("return f\"*:{'?' * ULID_LENGTH}-", 'return f"*-'),
    session_near_the_cut_off_lives_on=("_surely_issued(each) > _whole_second(cut_off)", "False"),
    nobody_left_makes_no_policy=("or [NOBODY]", "or ['*']"),
    limit_of_the_policy_ignored=(
        "return len(self.text) + other_characters <=",
        "return len(self.text) <=",
    ),
)
RECORD_BUGS = bugs_in(
    "credentials/operations/revoking.py",
    RECORDING,
    revoking_leaves_what_asked=("Tokens() if may_go_on else _ended_tokens(", "Tokens() or ("),
    revoking_ends_what_may_go_on=("Tokens() if may_go_on else _ended_tokens(", "_ended_tokens("),
    revoking_leaves_what_asks_just_now=("target.sessions.asked_for(now)", "live"),
    revoking_again_is_logged=(
        "        if made or ended.names or closed or withheld:\n",
        "        if True:\n",
    ),
    revoking_rewrites_what_is_stuck=(
        "sessions.requested(now)",
        'sessions.filter(status="requested")',
    ),
    session_under_way_survives_revoking=(
        "withheld = under_way.update(status=IssuedSession.Status.WITHHELD, completed_at=now)\n",
        "withheld = 0\n",
    ),
) | bugs_in(
    "credentials/vending/serving.py",
    "tests/credentials/vending/test_serving.py",
    revoked_session_served_from_memory=('    " AND i.revoked_at IS NULL"\n', ""),
)
WRITE_BUGS = bugs_in(
    "credentials/operations/revocation_policy.py",
    POLICY,
    revoking_believed_without_a_look=("    if outcome is Outcome.REFUSED:\n", "    if True:\n"),
    refusal_of_everybody_taken_for_revoking=(
        "problem or _problem_of(session)",
        "_problem_of(session)",
    ),
    decision_without_effect_seems_to_recover=(
        ".filter(written_at=None).update(",
        '.exclude(state__in=["written", "verified"]).update(',
    ),
    session_of_another_role_taken_for_revoked=(
        "elsewhere = _elsewhere(store, decisions, now)",
        "elsewhere: dict[int, str] = {}",
    ),
    another_name_tried=("name or row.session_name", "row.session_name"),
    store_takes_away_what_another_wrote_to_its_role=(
        "Revocation.objects.of_role(store)",
        "Revocation.objects.of_store(store)",
    ),
    two_stores_write_to_a_role_at_once=("{first.name}", "{store.name}"),
    two_write_revocations_at_once=(
        'with only_run(f"write_revocations of the store {first.name}"):',
        "if True:",
    ),
    failed_write_taken_for_written=("elif step.status is Status.FAILED:", "elif False:"),
    decision_without_room_taken_for_written=(
        "        _fail([each for each in decisions if each not in fitting], full)\n",
        "",
    ),
) | bugs_in(
    "credentials/vending/scope.py",
    POLICY,
    session_that_tries_may_write=("    Delivery.VERIFY: listing_policy,\n", ""),
)

IDENTITIES = "tests/credentials/operations/account/test_identities.py"
USERS = "tests/credentials/operations/account/test_user_checks.py"
ACCOUNT_BUGS = (
    bugs_in(
        "credentials/operations/account/identities.py",
        IDENTITIES,
        role_loses_its_rights_before_it_has_new_ones=(
            "        attached_upload_policy(clients, account),\n"
            "        no_inline_upload_policy(clients, account),\n",
            "        no_inline_upload_policy(clients, account),\n"
            "        attached_upload_policy(clients, account),\n",
        ),
        newest_version_of_a_policy_deleted=("oldest = min(", "oldest = max("),
    )
    | bugs_in(
        "credentials/access/revocations.py",
        POLICY,
        revocation_leaves_by_this_clock=(
            "objects.unexpired(now - CLOCK_",
            "objects.unexpired(now + 0 * CLOCK_",
        ),
    )
    | bugs_in(
        "credentials/access/revocations.py",
        RECORDING,
        room_counted_on_that_an_inline_policy_takes=(
            "    if not store.endpoint_url:\n        return 0\n",
            "    return 0\n",
        ),
    )
    | bugs_in(
        "credentials/operations/account/bootstrap.py",
        IDENTITIES,
        set_up_goes_on_after_a_failed_step=(
            "            if status in ENDED:\n",
            "            if False:\n",
        ),
    )
    | bugs_in(
        "credentials/operations/account/user_checks.py",
        USERS,
        revoker_with_more_rights_passes=(
            "extra=difference(found, _revoking_any_role(has_boundaries=has_boundaries)).extra",
            "extra=()",
        ),
        revoker_that_cannot_revoke_passes=(
            "missing=difference(found, _revoking(examination.account, has_boundaries)).missing",
            "missing=()",
        ),
    )
)

REVOCATION_BUGS = DOCUMENT_BUGS | RECORD_BUGS | WRITE_BUGS | ACCOUNT_BUGS
