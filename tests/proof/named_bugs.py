"""The bugs of systems like this, each as the edit that would put it back, and where they happened.

Every edit must be noticed by at least one of its judges.
"""

from collections.abc import Mapping
from types import MappingProxyType

from tests.proof.bugs.access import ACCESS_BUGS
from tests.proof.bugs.audits import AUDIT_BUGS
from tests.proof.bugs.bug import Bug
from tests.proof.bugs.handout import HANDOUT_BUGS
from tests.proof.bugs.identities import IDENTITY_BUGS
from tests.proof.bugs.identity_tokens import IDENTITY_TOKEN_BUGS
from tests.proof.bugs.issuing import ISSUING_BUGS
from tests.proof.bugs.names import NAME_BUGS
from tests.proof.bugs.policies import POLICY_BUGS
from tests.proof.bugs.revocations import REVOCATION_BUGS
from tests.proof.bugs.runs import RUN_BUGS
from tests.proof.bugs.secrets import SECRET_BUGS
from tests.proof.bugs.staff import STAFF_BUGS
from tests.proof.bugs.times import TIME_BUGS
from tests.proof.bugs.webhooks import WEBHOOK_BUGS

FAMILIES = (
    POLICY_BUGS, NAME_BUGS, IDENTITY_BUGS, ISSUING_BUGS, ACCESS_BUGS, SECRET_BUGS, TIME_BUGS,
    HANDOUT_BUGS, STAFF_BUGS, IDENTITY_TOKEN_BUGS, REVOCATION_BUGS, AUDIT_BUGS,
    WEBHOOK_BUGS, RUN_BUGS,
)  # fmt: skip
NAMED_BUGS: Mapping[str, Bug] = MappingProxyType(
    {name: bug for family in FAMILIES for name, bug in family.items()}
)

# What went wrong, with who it happened to -> the bugs that would be it here.
THREATS = {
    "minted before the scope was validated (Apache Polaris, CVE-2026-42809)": (
        "minted before the scope was validated",
        "minted before the row",
        "root not validated",
    ),
    "wildcard in a name (Polaris CVE-2026-42810, Unity Catalog, Lakekeeper, Gravitino)": (
        "wildcard in a build slug",
        "question mark in a build slug",
        "policy variable in a build slug",
        "wildcard in a product slug",
        "wildcard in a bucket",
        "wildcard in a role",
        "wildcard in a key",
        "vendor by wildcard",
    ),
    "stored location trusted later (Polaris CVE-2026-42812)": (
        "scope not recomputed",
        "bucket not held against the store",
    ),
    "sibling prefix (Polaris on GCS, s3-credentials)": (
        "sibling prefix is writable",
        "sibling prefix is deletable",
    ),
    "sibling listing (Unity Catalog, Nessie)": (
        "sibling prefix is listable",
        "listing without a condition",
        "bare root listed for chosen slugs",
        "every build lists its bare root",
        "chosen slug continues a server made one",
    ),
    "empty prefix (SeaweedFS)": (
        "empty prefix is listable",
        "empty prefix writes the bucket",
        "empty build slug",
        "role reaches beyond builds",
    ),
    "absent policy (Nessie)": (
        "policy omitted from AssumeRole",
        "empty policy accepted",
        "inside sessions have all rights",
    ),
    "fallback to the service's own key (Gravitino, S3 Access Grants plugin)": (
        "own key where STS gives none",
        "own key where STS refuses",
        "static key stays in the step",
        "shared credentials stay in the step",
    ),
    "broad actions (Unity Catalog)": (
        "broad put action",
        "any object action",
        "reading without sync",
        "every product syncs",
    ),
    "secrets in logs or database (Read the Docs, ltd-keeper, Fence)": (
        "answer of STS logged",
        "unreadable answer logged",
        "libraries log at DEBUG",
        "tokens not masked in logs",
        "session token in the ledger",
        "secret key in the ledger",
        "key in the admin log",
        "token stored in clear",
        "token is not masked",
        "token s file is readable by all",
        "secret in its repr",
        "secret in its text",
        "secret of a pasted token kept",
        "pasted token found only alone",
    ),
    "broad parent token (Read the Docs)": (
        "key mints for any build of its products",
        "key mints for any product",
        "registration of any build will do",
        "grant of any product will do",
        "limited key opens every product",
        "job mints for any build of its client",
        "job closes any build of its client",
        "job token opens products it is not for",
        "rule opens every product",
        "key taken from any network",
        "owner not checked again",
    ),
    "duplicate prefix (ltd-keeper)": (
        "one slug registered twice",
        "free slug looked for instead of decided by the index",
    ),
    "revoke that does nothing (Vault)": (
        "revoking does nothing",
        "revoked key is usable",
        "ended token is let in",
        "ending a job token does nothing",
        "ended job token is usable",
        "access token outlives its revoked key",
        "recheck dropped",
        "withheld credentials handed out",
        "revoked session served from memory",
        "session under way survives revoking",
        "revoking believed without a look",
        "refusal of everybody taken for revoking",
    ),
    "expiry missing from the answer (Read the Docs)": (
        "expiry missing from the answer",
        "expiry without a zone",
        "expiry check dropped",
    ),
}
