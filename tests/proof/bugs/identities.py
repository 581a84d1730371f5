"""Bugs of the documents of a store's account: role, trust, boundary, vendor."""

from tests.proof.bugs.bug import bugs_in

IDENTITY_BUGS = bugs_in(
    "credentials/rules/account_documents.py",
    "tests/credentials/rules/test_account_documents.py",
    vendor_assumes_any_role=("_allow(ASSUMING, list(role_arns)", '_allow(ASSUMING, "*"'),
    vendor_may_do_anything=("_allow(ASSUMING,", '_allow("*",'),
    everybody_may_assume=(
        '"Principal": {"AWS": vendor_arn},\n        "Action": ASSUMING',
        '"Principal": "*",\n        "Action": ASSUMING',
    ),
    external_id_ignored=("if external_id:", "if False:"),
    vendor_by_wildcard=("role)/[\\w+=,.@/-]+", "role)/[\\w+=,.@/*-]+"),
    vendor_with_a_line_feed=("role)/[\\w+=,.@/-]+\\Z", "role)/[\\w+=,.@/-]+$"),
    role_reaches_beyond_builds=('EVERY_BUILD = "*/builds/*"', 'EVERY_BUILD = "*"'),
    public_ACL_allowed=('"s3:x-amz-acl": list(acls)', '"s3:x-amz-acl": []'),
    public_ACL_forgotten=('("public-*", "authenticated-read",', '("authenticated-read",'),
    grants_allowed=('refused |= {f"s3:x-amz-grant-{name}"', '{f"s3:x-amz-grant-{name}"'),
    redirects_allowed=('refused |= {"s3:x-amz-website', '{"s3:x-amz-website'),
    boundary_absent_of_conditions=('listing["Condition"] =', "_ ="),
)
