"""The bugs of systems like this, each as the edit that would put it back.

Every edit replaces one text, found exactly once, by another. At least one of its judges must fail.
"""

from dataclasses import dataclass

ISSUING = (
    "tests/credentials/test_issuing.py",
    "tests/credentials/test_issuing_details.py",
    "tests/credentials/test_issuing_failures.py",
    "tests/credentials/test_sts.py",
    "tests/credentials/test_sts_sent.py",
    "tests/credentials/access/test_locking.py",
)
POLICY = ("tests/credentials/test_policy.py", "tests/credentials/test_policy_scope.py")
IDENTITIES = ("tests/credentials/test_identities.py", "tests/proof/test_details.py")
SLUGS = ("tests/builds/test_slugs.py",)
ARNS = ("tests/builds/test_arns.py",)
TOKENS = ("tests/credentials/access/test_tokens.py",)
DURATIONS = ("tests/credentials/test_durations.py",)
RULES = ("tests/credentials/audit/test_rules.py",)


@dataclass(frozen=True, kw_only=True)
class Bug:
    """`old` becomes `new` in `path`; `judges` are the tests that have to notice."""

    path: str
    old: str
    new: str
    judges: tuple[str, ...]


def _in(path: str, judges: tuple[str, ...], **bugs: tuple[str, str]) -> dict[str, Bug]:
    return {
        name.replace("_", " "): Bug(path=path, old=old, new=new, judges=judges)
        for name, (old, new) in bugs.items()
    }


_POLICY = _in(
    "credentials/policy.py",
    POLICY,
    sibling_prefix_is_writable=(
        '"Action": actions, "Resource": [root, f"{root}/*"]',
        '"Action": actions, "Resource": [root, f"{root}*"]',
    ),
    sibling_prefix_is_deletable=(
        '"Action": "s3:DeleteObject", "Resource": [root, f"{root}/*"]',
        '"Action": "s3:DeleteObject", "Resource": [root, f"{root}*"]',
    ),
    sibling_prefix_is_listable=('below = [f"{scope.root}/*"]', 'below = [f"{scope.root}*"]'),
    listing_without_a_condition=(
        '"Condition": {"StringLike": {"s3:prefix": prefixes}},',
        "",
    ),
    bare_root_listed_for_chosen_slugs=(
        "[scope.root, *below] if scope.may_list_bare_root else below",
        "[scope.root, *below]",
    ),
    empty_prefix_is_listable=('below = [f"{scope.root}/*"]', 'below = [f"{scope.root}/*", ""]'),
    empty_prefix_writes_the_bucket=(
        'root = f"{scope.bucket_arn}/{scope.root}"\n    return {"Effect": "Allow", "Action": act',
        'root = f"{scope.bucket_arn}"\n    return {"Effect": "Allow", "Action": act',
    ),
    broad_put_action=('WRITE_ACTIONS = ("s3:PutObject",', 'WRITE_ACTIONS = ("s3:PutO*",'),
    any_object_action=('WRITE_ACTIONS = ("s3:PutObject",', 'WRITE_ACTIONS = ("s3:*",'),
    reading_without_sync=("SYNC_ACTIONS if scope.may_sync else ()", "SYNC_ACTIONS"),
    any_key_encrypts=(
        '"Action": list(KMS_ACTIONS), "Resource": scope.kms_key_arn',
        '"Action": list(KMS_ACTIONS), "Resource": "*"',
    ),
    bucket_not_validated=("if not is_bucket_name(self.bucket):", "if False:"),
    root_not_validated=("if not is_build_root(self.root):", "if False:"),
    key_not_validated=("if self.kms_key_arn and not is_kms_key", "if False and not is_kms_key"),
    too_long_policy_is_sent=("if len(text) > MAX_POLICY_LENGTH:", "if False:"),
)
_POLICY["longer than STS takes"] = Bug(
    path="credentials/policy.py",
    old="MAX_POLICY_LENGTH = 2048",
    new="MAX_POLICY_LENGTH = 4096",
    judges=("tests/credentials/test_policy_length.py",),
)

_NAMES = _in(
    "builds/slugs.py",
    SLUGS,
    wildcard_in_a_build_slug=('r"^[a-zA-Z0-9._-]+\\Z"', 'r"^[a-zA-Z0-9._*-]+\\Z"'),
    question_mark_in_a_build_slug=('r"^[a-zA-Z0-9._-]+\\Z"', 'r"^[a-zA-Z0-9._?-]+\\Z"'),
    policy_variable_in_a_build_slug=('r"^[a-zA-Z0-9._-]+\\Z"', 'r"^[a-zA-Z0-9._${}:-]+\\Z"'),
    slash_in_a_build_slug=('r"^[a-zA-Z0-9._-]+\\Z"', 'r"^[a-zA-Z0-9._/-]+\\Z"'),
    line_feed_behind_a_build_slug=('r"^[a-zA-Z0-9._-]+\\Z"', 'r"^[a-zA-Z0-9._-]+$"'),
    line_feed_behind_a_product_slug=("[a-z0-9]+\\Z", "[a-z0-9]+$"),
    wildcard_in_a_product_slug=("[-a-z0-9]*[a-z0-9]+", "[-a-z0-9*]*[a-z0-9]+"),
    empty_build_slug=('r"^[a-zA-Z0-9._-]+\\Z"', 'r"^[a-zA-Z0-9._-]*\\Z"'),
    dots_as_a_build_slug=(' or text in {".", ".."}', ""),
    build_slug_of_any_length=("len(text) > BUILD_SLUG_LENGTH or ", ""),
    product_slug_of_any_length=("len(text) <= PRODUCT_SLUG_LENGTH and ", ""),
    root_of_unchecked_slugs=(
        "if not is_product_slug(product_slug) or not is_build_slug(build_slug):",
        "if False:",
    ),
    case_of_server_made_slugs=(".lower()", ""),
) | _in(
    "builds/arns.py",
    ARNS,
    line_feed_behind_a_bucket=("[a-z0-9]\\Z", "[a-z0-9]$"),
    wildcard_in_a_bucket=("[a-z0-9.-]{1,61}", "[a-z0-9.*-]{1,61}"),
    dots_in_a_bucket=(' and ".." not in text', ""),
    wildcard_in_a_role=("role/[\\w+=,.@/-]{1,190}", "role/[\\w+=,.@/*-]{1,190}"),
    line_feed_behind_a_role=("{1,190}\\Z", "{1,190}$"),
    wildcard_in_a_key=("key/[\\w-]{1,64}", "key/[\\w*-]{1,64}"),
    line_feed_behind_a_key=("{1,64}\\Z", "{1,64}$"),
    region_with_a_slash=(
        '_REGION = re.compile(r"[a-z0-9][a-z0-9-]',
        '_REGION = re.compile(r"[a-z0-9][a-z0-9/-]',
    ),
)

_IDENTITIES = _in(
    "credentials/identities.py",
    IDENTITIES,
    vendor_assumes_any_role=('"sts:AssumeRole", list(role_arns)', '"sts:AssumeRole", "*"'),
    vendor_may_do_anything=('_allow("sts:AssumeRole",', '_allow("*",'),
    everybody_may_assume=('"Principal": {"AWS": vendor_arn}', '"Principal": "*"'),
    external_id_ignored=("if external_id:", "if False:"),
    vendor_by_wildcard=("role)/[\\w+=,.@/-]+", "role)/[\\w+=,.@/*-]+"),
    vendor_with_a_line_feed=("+=,.@/-]+\\Z", "+=,.@/-]+$"),
    role_reaches_beyond_builds=('EVERY_BUILD = "*/builds/*"', 'EVERY_BUILD = "*"'),
    public_ACL_allowed=('"s3:x-amz-acl": list(PUBLIC_ACLS)', '"s3:x-amz-acl": []'),
    public_ACL_forgotten=('("public-*", "authenticated-read",', '("authenticated-read",'),
    grants_allowed=('refused |= {f"s3:x-amz-grant-{name}"', '{f"s3:x-amz-grant-{name}"'),
    redirects_allowed=('refused |= {"s3:x-amz-website', '{"s3:x-amz-website'),
    boundary_absent_of_conditions=('listing["Condition"] =', "_ ="),
)

_SERVICE = (
    _in(
        "credentials/issuing.py",
        ISSUING,
        minted_before_the_row=(
            "    row = _record(build, caller, delivery, origin, policy, seconds, now)\n"
            "    assumed = _assume(row, build, policy, seconds, now)\n",
            "    from unittest.mock import Mock\n"
            "    early = Mock(session_name='early', pk='early')\n"
            "    assumed = _assume(early, build, policy, seconds, now)\n"
            "    row = _record(build, caller, delivery, origin, policy, seconds, now)\n",
        ),
        row_not_committed_before_STS=(
            "    with transaction.atomic(durable=True):\n"
            "        return IssuedSession.objects.create(",
            "    if True:\n        return IssuedSession(",
        ),
        recheck_dropped=(
            "stands = right_still_stands(caller=caller, build_id=build.pk, now=now)",
            "stands = True",
        ),
        withheld_credentials_handed_out=("if not stands or not completed:", "if False:"),
        row_no_longer_requested_is_issued=("if not stands or not completed:", "if not stands:"),
        closed_build_gets_credentials=("    if not build.is_open(now):\n", "    if False:\n"),
        failure_not_recorded=(
            "    except DomainError as err:\n        _record_failure(row, err)\n",
            "    except DomainError:\n",
        ),
    )
    | _in(
        "credentials/scoping.py",
        ISSUING,
        scope_not_recomputed=(
            "!= (build.bucket_name, build.root):",
            "!= (store.bucket, build_root(product.slug, build.slug)):",
        ),
        every_build_lists_its_bare_root=("=build.server_made,", "=True,"),
        every_product_syncs=("may_sync=product.access == product.Access.SYNC", "may_sync=True"),
        inside_sessions_have_all_rights=(
            "MAKE_POLICY.get(delivery, session_policy)",
            "session_policy",
        ),
        refreshing_sessions_as_short_as_asked=(
            "    if delivery in REFRESHING:\n        return limits.refreshing\n",
            "",
        ),
        unsafe_scope_is_a_crash=(
            "except UnsafeScopeError as err:",
            "except ZeroDivisionError as err:",
        ),
    )
    | _in(
        "credentials/sts.py",
        ISSUING,
        policy_omitted_from_AssumeRole=('        "Policy": policy,\n', ""),
        empty_policy_accepted=("    if not policy:\n", "    if False:\n"),
        external_id_not_sent=("    if store.external_id:\n", "    if False:\n"),
        expiry_check_dropped=("if expires_at < asked_for - EXPIRY_TOLERANCE:", "if False:"),
    )
    | _in(
        "credentials/access/locking.py",
        ISSUING,
        grant_not_checked_again=("        and granted is not None\n", ""),
        key_not_checked_again=("        and locked.is_alive(now)\n", ""),
        build_not_checked_again=("        and build.is_open(now)\n", ""),
    )
)

_TOKENS = _in(
    "credentials/access/tokens.py",
    TOKENS,
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
) | _in(
    "credentials/secret.py",
    ("tests/credentials/test_secret.py",),
    secret_in_its_repr=('return "Secret(***)"', "return self._text"),
    secret_in_its_text=('return "***"', "return self._text"),
)

_TIMES = _in(
    "credentials/durations.py",
    DURATIONS,
    shorter_than_STS_takes=("SESSION_MINIMUM = 900", "SESSION_MINIMUM = 899"),
    refreshing_storm=("REFRESHING_MINIMUM = 1800", "REFRESHING_MINIMUM = 900"),
    beyond_the_role_s_maximum=(
        "if not SESSION_MINIMUM <= asked_seconds <= self.longest:",
        "if not SESSION_MINIMUM <= asked_seconds:",
    ),
) | _in(
    "credentials/audit/rules.py",
    RULES,
    stuck_rows_go_unseen=("STUCK_AFTER = timedelta(minutes=2)", "STUCK_AFTER = timedelta(days=2)"),
    long_sessions_go_unseen=(
        "EXPIRY_TOLERANCE = timedelta(minutes=1)",
        "EXPIRY_TOLERANCE = timedelta(hours=1)",
    ),
)

NAMED_BUGS = _POLICY | _NAMES | _IDENTITIES | _SERVICE | _TOKENS | _TIMES
