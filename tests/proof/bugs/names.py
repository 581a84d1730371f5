"""Bugs of names and ARNs: what becomes part of a key or of a policy."""

from tests.proof.bugs.bug import bugs_in

NAME_BUGS = bugs_in(
    "builds/names.py",
    "tests/builds/names/test_slugs.py",
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
    escape_in_a_text=("\\x00-\\x1f", "\\x00"),
    reordering_in_a_text=("\\u2066-\\u2069", ""),
    case_of_server_made_slugs=(".lower()", ""),
) | bugs_in(
    "builds/names.py",
    "tests/builds/names/test_arns.py",
    line_feed_behind_a_bucket=("[a-z0-9]\\Z", "[a-z0-9]$"),
    wildcard_in_a_bucket=("[a-z0-9.-]{1,61}", "[a-z0-9.*-]{1,61}"),
    dots_in_a_bucket=(' and ".." not in text', ""),
    wildcard_in_a_role=("role/[\\w+=,.@/-]{1,190}", "role/[\\w+=,.@/*-]{1,190}"),
    line_feed_behind_a_role=("{1,190}\\Z", "{1,190}$"),
    wildcard_in_a_key=("key/[\\w-]{1,64}", "key/[\\w*-]{1,64}"),
    line_feed_behind_a_key=("{1,64}\\Z", "{1,64}$"),
    build_that_names_the_host=("[A-Za-z0-9-]+\\.)?[A-Za-z0-9-]+(", "[A-Za-z0-9-]+\\.)?\\S+("),
    region_with_a_slash=(
        '_REGION = re.compile(r"[a-z0-9][a-z0-9-]',
        '_REGION = re.compile(r"[a-z0-9][a-z0-9/-]',
    ),
)
