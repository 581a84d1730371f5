"""Ways to be somebody at the embedded store without a secret of one's own.

On the store as it is installed, each of these gets what it asks for.
"""

from datetime import UTC, datetime

from tests.demo.requests_to_store import (
    BUCKET,
    FORMS,
    SIGNERS,
    URLENCODED,
    Send,
    action,
    listing,
    plain,
    presigned_query,
    query_action,
)

# Root keys of the installed store; some checks of it want the secret "test".
ROOT_KEYS = {"test": "test", "twelve digits": "000000000000"}
SECRET = "test"


def attacks(victim: str) -> dict[str, Send]:
    """All of them, by name. `victim` is the key id, not secret, of a user of the store."""
    return {
        **_as_root(),
        **_without_a_key(),
        **_at_admin_pages(),
        **_as_somebody_known(victim),
    }


def _as_root() -> dict[str, Send]:
    found: dict[str, Send] = {}
    for name, key_id in ROOT_KEYS.items():
        for way, signer in SIGNERS.items():
            found[f"root {name}, {way}"] = listing(signer, key_id, SECRET)
        for way, make_form in FORMS.items():
            found[f"root {name}, {way}"] = make_form(key_id, SECRET)
        for service, called in (("sts", "GetSessionToken"), ("iam", "ListUsers")):
            found[f"root {name}, {called}"] = action(service, called, key_id, SECRET)
    found["another account's root"] = listing(SIGNERS["SigV4 header"], "1" * 12, "any")
    found["root test, SigV4A header"] = plain("GET", "/", _sigv4a_header("test"))
    found["root test, key in a query alone"] = plain("GET", "/?X-Amz-Credential=test/x")
    found["root test, query in lower case"] = plain("GET", "/?x-amz-credential=test/x")
    found["root test, bucket in the host"] = plain("GET", "/?X-Amz-Credential=test/x", _HOST)
    found["root test, S3 Control"] = plain("GET", f"{_CONTROL}?X-Amz-Credential=test/x")
    return found


def _without_a_key() -> dict[str, Send]:
    return {
        "no key": plain("GET", "/"),
        "a bearer token": plain("GET", "/", {"Authorization": "Bearer any"}),
        "a wrong bootstrap secret": plain("GET", "/", {"X-Demo-Store-Bootstrap": "x" * 43}),
        "another emulated service": plain("GET", "/v2/"),
        "a preflight": plain("OPTIONS", "/"),
    }


def _at_admin_pages() -> dict[str, Send]:
    pages = ["/health", "/_localstack/health", "/_ministack/health", "/_ministack/ready"]
    return {
        **{f"GET {page}": plain("GET", page) for page in pages},
        "POST /_ministack/config": plain("POST", "/_ministack/config", body=b"{}"),
    }


def _as_somebody_known(victim: str) -> dict[str, Send]:
    """A presigned query with a made-up signature, which nobody checks outside S3."""
    query = presigned_query(victim, "0" * 64)
    bearer = {**URLENCODED, "Authorization": "Bearer any"}
    at_iam = {**bearer, "Host": "iam.localhost"}
    return {
        "a user's key id, STS": plain(
            "POST", f"/?{query}", bearer, query_action("GetSessionToken")
        ),
        "a user's key id, IAM": plain("POST", f"/?{query}", at_iam, query_action("ListUsers")),
    }


def _sigv4a_header(key_id: str) -> dict[str, str]:
    scope = f"{datetime.now(UTC):%Y%m%d}/s3/aws4_request"
    signed = "SignedHeaders=host;x-amz-region-set, Signature=00"
    header = f"AWS4-ECDSA-P256-SHA256 Credential={key_id}/{scope}, {signed}"
    return {"Authorization": header, "X-Amz-Region-Set": "*"}


_HOST = {"Host": f"{BUCKET}.localhost"}
_CONTROL = f"/v20180820/tags/arn%3Aaws%3As3%3A%3A%3A{BUCKET}"

# The names alone, for parametrizing before there is a store to make a victim in.
NAMES = sorted(attacks("AKIA0000000000000000"))
