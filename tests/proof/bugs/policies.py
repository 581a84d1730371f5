"""Bugs of the session policy: what a session reaches."""

from tests.proof.bugs.bug import bugs_in

POLICY_BUGS = bugs_in(
    "credentials/rules/policy.py",
    "tests/credentials/rules/test_policy.py",
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
) | bugs_in(
    "credentials/rules/policy.py",
    "tests/credentials/rules/test_policy_length.py",
    longer_than_STS_takes=("MAX_POLICY_LENGTH = 2048", "MAX_POLICY_LENGTH = 4096"),
)
