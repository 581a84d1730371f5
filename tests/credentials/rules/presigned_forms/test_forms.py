"""The fields and the conditions of each kind of POST, letter by letter."""

from credentials.rules.presigned_forms import Terms, directory_form, file_form

ROOT = "guide/builds/v1"
PLAIN = Terms(bucket="docs", root=ROOT, surrogate_key="f" * 32, max_bytes=10)
WITH_ACL = Terms(bucket="docs", root=ROOT, surrogate_key="f" * 32, max_bytes=10, acl="public-read")

FIXED = {
    "Cache-Control": "max-age=31536000",
    "x-amz-meta-surrogate-key": "f" * 32,
    "success_action_status": "204",
}
RULES = [{name: value} for name, value in FIXED.items()]
SIZE = ["content-length-range", 0, 10]


def test_file_is_of_any_name_and_type_right_below_the_directory() -> None:
    form = file_form(PLAIN, "_static/")
    assert form.fields == {"key": f"{ROOT}/_static/${{filename}}", **FIXED}
    assert list(form.conditions) == [
        {"bucket": "docs"},
        ["starts-with", "$key", f"{ROOT}/_static/"],
        ["starts-with", "$Content-Type", ""],
        *RULES,
        SIZE,
    ]


def test_directory_is_one_key_and_says_so() -> None:
    form = directory_form(PLAIN, "_static/")
    redirect = {"x-amz-meta-dir-redirect": "true"}
    assert form.fields == {"key": f"{ROOT}/_static", **FIXED, **redirect}
    key = {"key": f"{ROOT}/_static"}
    assert list(form.conditions) == [{"bucket": "docs"}, key, *RULES, redirect, SIZE]


def test_acl_is_sent_and_held_to_where_the_store_has_one() -> None:
    form = file_form(WITH_ACL, "/")
    assert form.fields["acl"] == "public-read"
    assert {"acl": "public-read"} in form.conditions
    assert "acl" not in file_form(PLAIN, "/").fields
