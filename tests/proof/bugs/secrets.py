"""Bugs that leave a secret behind: in a log, in the database, in a text, or too easy to guess."""

from tests.proof.bugs.bug import bugs_in

TOKEN_BUGS = (
    bugs_in(
        "credentials/rules/tokens.py",
        "tests/credentials/rules/test_tokens.py",
        token_stored_in_clear=(
            'hashlib.sha256(secret.reveal().encode("ascii")).hexdigest()',
            "secret.reveal()",
        ),
        any_secret_matches=(
            "hmac.compare_digest(digest(presented.unverified_secret), stored_digest)",
            "True",
        ),
        short_secret=("SECRET_BYTES = 32", "SECRET_BYTES = 4"),
        line_feed_behind_a_token=("{64})\\Z", "{64})$"),
        secret_of_any_length=("_([0-9a-f]{64})\\Z", "_([0-9a-f]+)\\Z"),
    )
    | bugs_in(
        "credentials/rules/secret.py",
        "tests/credentials/rules/test_secret.py",
        secret_in_its_repr=('return "Secret(***)"', "return self._text"),
        secret_in_its_text=('return "***"', "return self._text"),
    )
    | bugs_in(
        "credentials/rules/identifiers.py",
        "tests/credentials/rules/test_identifiers.py",
        secret_of_a_pasted_token_kept=("return found[0]", "return each"),
        pasted_token_found_only_alone=("_TOKEN.search(each)", "_TOKEN.match(each)"),
        pasted_token_in_basic_authentication_missed=(", *encoded)", ")"),
        pasted_secret_looked_up=(
            "if any(_SECRET.fullmatch(word) for word in text.split()):",
            "if False:",
        ),
    )
)

LEFT_BEHIND_BUGS = (
    bugs_in(
        "credentials/vending/sts.py",
        "tests/credentials/vending/test_issuing_details.py",
        answer_of_STS_logged=(
            "    session = _read("
            "_ask(store, session_name, policy, duration_seconds, patience), store)\n",
            "    answer = _ask(store, session_name, policy, duration_seconds, patience)\n"
            '    session = _read(answer, store)\n    log.info("assumed", answer=str(answer))\n',
        ),
    )
    | bugs_in(
        "credentials/vending/sts.py",
        "tests/credentials/vending/test_sts.py",
        unreadable_answer_logged=(
            'log.warning("assume_role_incomplete", error=f"{type(err).__name__}: {err}")',
            'log.warning("assume_role_incomplete", error=str(answer))',
        ),
    )
    | bugs_in(
        "credentials/vending/issuing.py",
        "tests/credentials/vending/test_issuing_details.py",
        session_token_in_the_ledger=(
            "    row.completed_at = now\n",
            "    row.completed_at = now\n"
            "    row.sts_request_id = assumed.session_token.reveal()[:64]\n",
        ),
        secret_key_in_the_ledger=(
            "    row.completed_at = now\n",
            "    row.completed_at = now\n"
            "    row.assumed_role_id = assumed.secret_access_key.reveal()\n",
        ),
    )
    | bugs_in(
        "credentials/access/clients.py",
        "tests/credentials/access/test_keys.py",
        key_in_the_admin_log=(
            'f"Made a key for {client.name}."',
            'f"Made {token.text.reveal()} for {client.name}."',
        ),
    )
    | bugs_in(
        "ltdkeeper/logs.py",
        "tests/ltdkeeper/test_logs.py",
        libraries_log_at_DEBUG=(
            '            **{name: {"level": quiet} for name in NEVER_BELOW_INFO},\n',
            "",
        ),
        tokens_not_masked_in_logs=("            mask_tokens,\n", ""),
    )
)

# Nothing but their text shows these.
SOURCE = "tests/proof/test_source.py"
SOURCE_BUGS = bugs_in(
    "credentials/vending/sts.py",
    SOURCE,
    policy_sent_only_where_there_is_one=(
        "            Policy=policy,\n",
        '            **({"Policy": policy} if policy else {}),\n',
    ),
    secret_key_in_the_log=(
        'log.warning("assume_role_incomplete", error=',
        'log.warning("assume_role_incomplete", key=answer["SecretAccessKey"], error=',
    ),
) | bugs_in(
    "credentials/vending/serving.py",
    SOURCE,
    secret_revealed_where_nobody_said_so=(
        "    session_cache.keep(key, (",
        "    str(map(Secret.reveal, ()))\n    session_cache.keep(key, (",
    ),
)

SECRET_BUGS = TOKEN_BUGS | LEFT_BEHIND_BUGS | SOURCE_BUGS
