"""Bugs between the request and the answer: the order, the scope, what STS is asked and answers."""

from tests.proof.bugs.bug import bugs_in

ISSUING = "tests/credentials/vending/test_issuing.py"
DETAILS = "tests/credentials/vending/test_issuing_details.py"
FAILURES = "tests/credentials/vending/test_issuing_failures.py"
STS = "tests/credentials/vending/test_sts.py"

# Steps of issuing whose order matters.
RECORD = (
    "    if not insert_and_commit(row, provided=quota and quota.condition) and quota:\n"
    "        raise quota.refusal\n"
)
POLICY = "policy=policy_for(build, delivery),"

ORDER_BUGS = (
    bugs_in(
        "credentials/vending/issuing.py",
        ISSUING,
        minted_before_the_scope_was_validated=(
            POLICY,
            "policy=__import__('credentials.rules.policy').policy.session_policy(\n"
            "            __import__('credentials.rules.policy').policy.Scope(partition='aws',\n"
            "            bucket=build.bucket_name, root=build.root, may_list_bare_root=True)),",
        ),
        minted_before_the_row=(RECORD, f"    _assume(row, patience)\n{RECORD}"),
        row_not_committed_before_STS=(RECORD, ""),
        recheck_dropped=("provided=right and right(now=now), ", ""),
        late_answer_is_issued=("now - row.requested_at < COMPLETED_WITHIN and update(", "update("),
        withheld_credentials_handed_out=(
            "    if not is_issued:\n        raise",
            "    if False:\n        raise",
        ),
        row_no_longer_requested_is_issued=(
            "provided=right and right(now=now), status=requested\n",
            "provided=right and right(now=now)\n",
        ),
        closed_build_gets_credentials=(
            "    if caller and not build.is_open(now):\n",
            "    if False:\n",
        ),
        failure_not_recorded=(
            "    except DomainError as err:\n        _record_failure(row, err)\n",
            "    except DomainError:\n",
        ),
    )
    | bugs_in(
        "credentials/vending/issuing.py",
        "tests/http/test_quotas.py",
        sessions_not_limited=("provided=quota and quota.condition", "provided=None"),
    )
    | bugs_in(
        "credentials/access/registrations.py",
        "tests/http/test_quotas.py",
        builds_not_limited=("provided=build_quota(caller=caller, now=now)", "provided=None"),
        builds_count_for_nobody=("registered_by=caller.client.pk", "registered_by=None"),
    )
    | bugs_in(
        "credentials/access/quotas.py",
        "tests/credentials/access/test_quotas.py",
        siblings_sessions_are_read=("AND +client_id", "AND client_id"),
    )
    | bugs_in(
        "credentials/access/rights.py",
        "tests/credentials/access/test_last_look.py",
        grant_not_checked_again=(
            """        f" {' '.join(opening.join(GIVEN) for opening in openings)}"\n"""
            '        f" WHERE b.id = %(build)s AND',
            '        f" WHERE b.id = %(build)s AND',
        ),
        key_not_checked_again=("        *(IS_ALIVE[name] for name in shown),\n", ""),
        build_not_checked_again=("        OPEN,\n    )", "    )"),
        owner_not_checked_again=(
            "        _owned(openings) if to_write else _closable(openings),\n",
            "",
        ),
    )
)

SCOPING_BUGS = (
    bugs_in(
        "credentials/vending/scope.py",
        ISSUING,
        scope_not_recomputed=(
            "!= (build.bucket_name, build.root):",
            "!= (scope.bucket, scope.root):",
        ),
        bucket_not_held_against_the_store=(
            "(scope.bucket, scope.root) != (build.bucket_name, build.root)",
            "scope.root != build.root",
        ),
        inside_sessions_have_all_rights=(
            "MAKE_POLICY.get(delivery, session_policy)",
            "session_policy",
        ),
        refreshing_sessions_as_short_as_asked=(
            "    if delivery in REFRESHING:\n        return limits.refreshing\n",
            "",
        ),
    )
    | bugs_in(
        "credentials/vending/scope.py",
        DETAILS,
        every_build_lists_its_bare_root=("=build.server_made,", "=True,"),
        every_product_syncs=(
            "may_sync=store.with_sync and product.access == product.Access.SYNC",
            "may_sync=True",
        ),
    )
    | bugs_in(
        "credentials/vending/scope.py",
        FAILURES,
        unsafe_scope_is_a_crash=(
            "except ValueError as err:",
            "except ZeroDivisionError as err:",
        ),
    )
)

STS_BUGS = bugs_in(
    "credentials/vending/sts.py",
    STS,
    policy_omitted_from_AssumeRole=("            Policy=policy,\n", ""),
    empty_policy_accepted=("    if not policy:\n", "    if False:\n"),
    external_id_not_sent=("if store.external_id else {}", "if False else {}"),
    expiry_check_dropped=(
        "if not asked_for - EXPIRY_TOLERANCE <= expires_at <= asked_for + LATEST_EXPIRY:",
        "if False:",
    ),
    own_key_where_STS_gives_none=(
        'access_key_id = credentials["AccessKeyId"]\n',
        "access_key_id = (credentials.get('AccessKeyId')"
        " or boto3.session.Session().get_credentials().access_key)\n",
    ),
    own_key_where_STS_refuses=(
        "        raise error from None\n",
        "        own = boto3.session.Session().get_credentials()\n"
        "        end = datetime.now(UTC) + timedelta(seconds=request['DurationSeconds'])\n"
        "        return {'Credentials': {'AccessKeyId': own.access_key, 'Expiration': end,\n"
        "            'SecretAccessKey': own.secret_key, 'SessionToken': 'none'}}\n",
    ),
)

VENDING = "tests/credentials/vending"
# What a process keeps, has open and waits for.
PROCESS_BUGS = (
    bugs_in(
        "credentials/vending/serving.py",
        f"{VENDING}/test_serving.py::test_another_key_of_the_client_has_sessions_of_its_own",
        session_served_to_another_key=("client.pk, key and key.pk, job", "client.pk, job"),
    )
    | bugs_in(
        "credentials/vending/serving.py",
        f"{VENDING}/test_serving.py::test_right_that_ended_while_waiting_is_seen",
        right_of_who_waited_not_checked=("_after_waiting(caller, plan))", "vended)"),
    )
    | bugs_in(
        "credentials/vending/serving.py",
        f"{VENDING}/test_serving.py::test_thread_that_issues_gives_its_connection_back",
        thread_keeps_its_connection=(
            "        return vended\n    finally:\n        give_back_connections()\n",
            "        return vended\n    finally:\n        pass\n",
        ),
    )
    | bugs_in(
        "credentials/vending/serving.py",
        f"{VENDING}/test_serving.py::test_thread_that_fails_to_issue_gives_its_connection_back",
        thread_that_fails_keeps_its_connection=(
            "        return vended\n    finally:\n        give_back_connections()\n",
            "        give_back_connections()\n        return vended\n    finally:\n        pass\n",
        ),
    )
    | bugs_in(
        "credentials/vending/sts.py",
        f"{VENDING}/test_sts_clients.py::test_client_fails_fast",
        STS_is_asked_without_end=("seconds=1.5, attempts=2)", "seconds=1.5, attempts=1000)"),
    )
    | bugs_in(
        "credentials/vending/sts.py",
        "tests/credentials/rules/test_cooldown.py::test_store_that_timed_out_is_not_asked_again_at_once",
        hanging_store_asked_by_every_thread=(
            "            cooldown.begin(_endpoint(store))\n",
            "            pass\n",
        ),
    )
    | bugs_in(
        "credentials/vending/issuing.py",
        f"{FAILURES}::test_key_that_the_ledger_has_already_is_a_bad_answer",
        row_that_the_ledger_refused_is_handed_out=("        raise bad from None\n", ""),
    )
    | bugs_in(
        "ltdkeeper/sqlite/base.py",
        "tests/ltdkeeper/test_sqlite_turns.py::test_files_of_a_turn_are_opened_once",
        files_of_the_turn_stay_open=("self._files or [_open(path)", "[_open(path)"),
    )
)

ANSWER_BUGS = bugs_in(
    "ltdkeeper/api/credentials.py",
    "tests/http/test_credentials_answer.py",
    expiry_missing_from_the_answer=(
        '        "Expiration": _with_z(vended.assumed.expires_at),\n',
        "",
    ),
    expiry_without_a_zone=('strftime("%Y-%m-%dT%H:%M:%SZ")', 'strftime("%Y-%m-%dT%H:%M:%S")'),
)

UPLOAD_BUGS = bugs_in(
    "credentials/vending/uploads.py",
    "tests/http/test_uploads.py",
    damaged_body_is_stored=("hashes[name].hexdigest() != wanted[name]", "False"),
    key_leaves_the_build=("check_files([file.key], root_bytes=len(build.root))", "pass"),
    uploads_take_every_thread=(
        "turns = _turns(settings.LTD_PROXY_UPLOADS)",
        "turns = BoundedSemaphore(9)",
    ),
    upload_where_it_is_off=("if not settings.LTD_PROXY_UPLOADS:", "if False:"),
)

ISSUING_BUGS = ORDER_BUGS | SCOPING_BUGS | STS_BUGS | PROCESS_BUGS | ANSWER_BUGS | UPLOAD_BUGS
