"""Which headers a PUT is signed with: the POST's own, and what the client has said."""

from credentials.rules.presigned_forms import Terms, WantedFile, put_headers

TERMS = Terms(bucket="docs", root="guide/builds/v1", surrogate_key="f" * 32, max_bytes=10)
OWN = {"Cache-Control": "max-age=31536000", "x-amz-meta-surrogate-key": "f" * 32}


def test_what_was_not_said_is_not_signed() -> None:
    assert put_headers(TERMS, WantedFile(key="a")) == OWN


def test_what_was_said_is_signed() -> None:
    file = WantedFile(key="a", size=0, content_type="text/html", sha256="00ff" * 16)
    assert put_headers(TERMS, file) == OWN | {
        "Content-Length": "0",
        "Content-Type": "text/html",
        "x-amz-checksum-sha256": "AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8A/wD/AP8=",
    }


def test_acl_is_signed_where_the_store_has_one() -> None:
    terms = Terms(bucket="docs", root="r", surrogate_key="f" * 32, max_bytes=10, acl="public-read")
    assert put_headers(terms, WantedFile(key="a"))["x-amz-acl"] == "public-read"


def test_md5_is_sent_as_http_names_it() -> None:
    file = WantedFile(key="a", md5="5d41402abc4b2a76b9719d911017c592")
    assert put_headers(TERMS, file)["Content-MD5"] == "XUFAKrxLKna5cZ2REBfFkg=="
