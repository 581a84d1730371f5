"""Where a store answers otherwise than AWS documents: one table, each entry with its reason.

The suite expects AWS's answer to every case, and this table's where it names the case for the
store's kind and version. A store that later answers as AWS does turns the case red: the entry goes.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from credentials.operations.account.requirements import Status
from tests.store.answers import ACCEPTED, OTHER_REFUSALS, REFUSED, Answer


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What some cases come to, and why that is so, or why it does no harm."""

    cases: Iterable[str]
    expected: object
    why: str


def ways(*headers: str, by: tuple[str, ...] = ("put", "upload_in_parts", "copy")) -> list[str]:
    """The cases of sending a header: with a plain upload, one in parts, a copy."""
    return [f"{way} with {header}" for header in headers for way in by]


PUT, PARTS_AND_COPY = ("put",), ("upload_in_parts", "copy")
LOCKS = ("retention", "legal hold")
SEVERAL = ("delete several, outside", "delete several, inside")

AS_A_WHOLE = "Refused as a whole, where AWS answers for each key."
NO_LOCK = "The bucket has no object lock; it says so before it looks at rights. Nothing is locked."
TAGS = "Tags in a header pass with s3:PutObject alone. Nothing here gives a tag a meaning."
REDIRECT = "The condition key of the redirect header never matches: the denial is for AWS."
EMPTY_IS_NONE = (
    "An empty policy is taken for none, and the session has the whole role. The service refuses to "
    "call STS without a policy (credentials/vending/sts.py)."
)

MINISTACK = [
    Difference(
        cases=["put, newline inside, inside"],
        expected=REFUSED,
        why="Its wildcards in policies do not match a line feed that something follows: closed. No "
        "other store here refuses such a file name.",
    ),
    Difference(
        cases=["put, 1025 characters, inside"],
        expected=ACCEPTED,
        why="It knows no longest key. It is stored as written, below the root.",
    ),
    Difference(cases=SEVERAL, expected=REFUSED, why=AS_A_WHOLE),
    Difference(cases=ways(*LOCKS), expected=Answer(400, "InvalidRequest"), why=NO_LOCK),
    Difference(cases=ways("tags"), expected=ACCEPTED, why=TAGS),
    Difference(cases=ways("website redirect"), expected=ACCEPTED, why=REDIRECT),
    Difference(cases=["session policy: empty"], expected={ACCEPTED}, why=EMPTY_IS_NONE),
    Difference(
        cases=["revoker, role with boundary"],
        expected=REFUSED,
        why="It does not know the condition on the role's boundary: closed, and unproven here.",
    ),
]

# None: the step is not taken at all.
CEPH_STEPS: dict[str, Status | None] = {
    "ACLs off": Status.NOT_SUPPORTED,
    "public access block": Status.NOT_SUPPORTED,
    "user NAME-vendor": None,
    "policy of NAME-vendor for NAME-upload": None,
    "access key of NAME-vendor": None,
    "VENDOR": Status.BY_HAND,
    "nothing in the bucket for VENDOR": Status.MADE,
    "boundary policy NAME-upload-boundary": Status.NOT_SUPPORTED,
    "boundary of NAME-upload": None,
    "sessions cannot assume the role again": Status.CHANGED,
    "user NAME-auditor": Status.NOT_SUPPORTED,
    "policy of NAME-auditor for NAME-upload": None,
    "access key of NAME-auditor": None,
    "user NAME-revoker": Status.NOT_SUPPORTED,
    "policy of NAME-revoker for NAME-upload": None,
    "access key of NAME-revoker": None,
}
PUBLIC = (
    *("ACL public-read", "ACL public-read-write", "ACL authenticated-read"),
    *("grant read", "grant read ACL", "grant write ACL", "grant full control"),
)
IAM_UNKNOWN = (
    *("list users", "create user", "create access key"),
    *("delete boundary", "attach role policy"),
)
CEPH = [
    Difference(
        cases=["put, NUL, inside"],
        expected=Answer(400, "400"),
        why="Its HTTP server refuses the address before S3 sees it.",
    ),
    Difference(
        cases=["put, 1025 characters, inside"],
        expected=Answer(400, "InvalidObjectName"),
        why="Another code for the same fact.",
    ),
    Difference(cases=SEVERAL, expected=REFUSED, why=AS_A_WHOLE),
    Difference(
        cases=["delete several, own root of a synced product"],
        expected=REFUSED,
        why="Refused to every session, inside too. aws s3 sync deletes one by one, which works.",
    ),
    Difference(
        cases=["restore, outside", "restore, inside"],
        expected=Answer(501, "NotImplemented"),
        why="Unknown to it, whoever asks.",
    ),
    Difference(
        cases=[*(f"{call}, IAM" for call in IAM_UNKNOWN), "get federation token, STS"],
        expected=Answer(405, "MethodNotAllowed"),
        why="Unknown to it, whoever asks.",
    ),
    Difference(
        cases=["get website, bucket", "put website, bucket", "delete website, bucket"],
        expected=Answer(405, "MethodNotAllowed"),
        why="It is started without its website interface.",
    ),
    Difference(
        cases=["put logging, bucket", "put replication, bucket"],
        expected=Answer(405, "MethodNotAllowed"),
        why="Unknown to it, whoever asks.",
    ),
    Difference(
        cases=["create metadata, bucket", "create metadata table, bucket"],
        expected=Answer(501, "NotImplemented"),
        why="Unknown to it, whoever asks.",
    ),
    Difference(
        cases=ways("ACL aws-exec-read"),
        expected=Answer(400, "InvalidArgument"),
        why="It knows no such ACL.",
    ),
    Difference(
        cases=ways(*PUBLIC, by=PARTS_AND_COPY),
        expected=ACCEPTED,
        why="Condition keys of ACL headers are known to plain uploads alone. The ACL is stored "
        "and has no effect under IgnorePublicAcls, which bootstrap_store sets: the same test asks "
        "for the object as nobody.",
    ),
    Difference(cases=ways(*LOCKS, by=PUT), expected=Answer(400, "InvalidRequest"), why=NO_LOCK),
    Difference(
        cases=ways(*LOCKS, by=PARTS_AND_COPY),
        expected=ACCEPTED,
        why="The bucket has no object lock; the header is passed over and nothing is locked.",
    ),
    Difference(cases=ways("tags"), expected=ACCEPTED, why=TAGS),
    Difference(cases=ways("website redirect"), expected=ACCEPTED, why=REDIRECT),
    Difference(
        cases=["change encryption, inside", "put annotation, inside"],
        expected=ACCEPTED,
        why="Unknown to it: taken for an upload of the object, which is allowed there.",
    ),
    Difference(
        cases=["list parts of an aborted upload"],
        expected=Answer(404, "NoSuchKey"),
        why="Another code for the same fact.",
    ),
    Difference(cases=["any call, expired"], expected=REFUSED, why="Refused, without saying why."),
    Difference(
        cases=["POST signed by session, stored"],
        expected=False,
        why="It answers 204 to a POST that a session with a policy signed, and stores nothing. "
        "check_isolation finds that out, and the service signs no such POST (422).",
    ),
    Difference(
        cases=["POST signed by session, too large"],
        expected=Answer(204),
        why="Nothing is stored, so no size is looked at either.",
    ),
    Difference(
        cases=["POST, cache control"],
        expected=None,
        why="It checks the field and does not keep it. Whoever serves the pages sets the header.",
    ),
    Difference(
        cases=["PUT, another SHA-256"],
        expected=ACCEPTED,
        why="It does not know the header, and signs it all the same.",
    ),
    Difference(
        cases=["POST, policy changed"], expected=REFUSED, why="Refused, without saying why."
    ),
    Difference(
        cases=["POST signed by a user without a bucket policy, refused"],
        expected=True,
        why="Only the bucket's policy is asked about a POST, not the user's own: closed.",
    ),
    Difference(cases=["session policy: empty"], expected={ACCEPTED}, why=EMPTY_IS_NONE),
    Difference(
        cases=["session policy: over the limit"],
        expected=Answer(400, "PackedPolicyTooLarge"),
        why="Another code for the same fact.",
    ),
    Difference(
        cases=["copy in parts, own root of a synced product"],
        expected=REFUSED,
        why="Refused to every session, inside too. A copy in one piece works.",
    ),
    Difference(
        cases=["revoker, role with boundary"],
        expected=REFUSED,
        why="It has no boundaries, so the condition on one never holds: closed.",
    ),
    Difference(
        cases=[
            f"{call}, bounded role" for call in ("top", "public", "grant", "make public", "list")
        ],
        expected=ACCEPTED,
        why="It has no boundaries: the role's own policy is all that limits it. So bootstrap_store "
        "makes no revoker there, and nobody but the operator may rewrite that policy.",
    ),
    Difference(
        cases=["bootstrap: keys"], expected=set(), why="Its IAM makes no users; its own tool does."
    ),
    Difference(
        cases=["bootstrap: steps"],
        expected=CEPH_STEPS,
        why="It knows neither users, nor boundaries, nor ownership; a session may assume again; "
        "and under BlockPublicAcls it refuses every upload, so that one stays off.",
    ),
    Difference(
        cases=["doctor: findings"],
        expected={"public-access.off"},
        why="A warning: BlockPublicAcls is off, as above.",
    ),
    Difference(
        cases=["doctor: not looked at"],
        expected={
            *("vendor", "vendor-policies", "boundary", "acls"),
            *("revoker", "revoker-policies", "trail"),
        },
        why="It does not tell who calls, answers for a user without policies as if there were no "
        "user, and knows neither boundaries nor ownership; so a revoker is made only when asked "
        "for. Neither a profile of one nor a bucket of a trail is named on either store.",
    ),
]

WHERE_ROLE_READS = ("inside", "where the role reads")
COPIED_PARTS = ("copy part from", "copy part from, first byte")
CEPH_18 = [
    Difference(
        cases=[f"{call}, {where}" for call in COPIED_PARTS for where in WHERE_ROLE_READS],
        expected=ACCEPTED,
        why="As below: a part is copied from whatever the role may read. It may where the store is "
        "set up for sync products, as here; test_isolation.py has one that is not.",
    ),
    Difference(
        cases=["copy in parts, own root of a synced product"],
        expected=ACCEPTED,
        why="As AWS.",
    ),
    Difference(
        cases=["check_isolation with sync: what a session can"],
        expected=[
            "copy a sibling's page in parts into its root",
            "copy another product's page in parts into its root",
        ],
        why="It asks the upload role only about the source of a copy in parts, not the session's "
        "policy. A role that reads nothing closes it: a store without sync products passes.",
    ),
]

# Most of it is AWS's answer again.
CEPH_20 = [
    Difference(
        cases=SEVERAL, expected=OTHER_REFUSALS["delete several"], why="As AWS: for each key."
    ),
    Difference(
        cases=[
            "delete several, own root of a synced product",
            "copy in parts, own root of a synced product",
        ],
        expected=ACCEPTED,
        why="As AWS.",
    ),
    Difference(
        cases=["restore, outside", "restore, inside", "put logging, bucket"],
        expected=REFUSED,
        why="As AWS.",
    ),
    Difference(
        cases=ways(*LOCKS, by=("upload_in_parts",)),
        expected=Answer(400, "InvalidRequest"),
        why=NO_LOCK,
    ),
    Difference(
        cases=["POST signed by session, stored"],
        expected=True,
        why="As AWS: such a store needs no identity of its own to sign POSTs.",
    ),
    Difference(
        cases=["POST signed by session, too large"],
        expected=Answer(400, "EntityTooLarge"),
        why="As AWS.",
    ),
    Difference(
        cases=["bootstrap: steps"],
        expected=CEPH_STEPS | {"public access block": Status.MADE},
        why="It knows a public access block, which refuses no upload.",
    ),
    Difference(cases=["doctor: findings"], expected=set(), why="As AWS."),
    Difference(
        cases=["doctor: not looked at"],
        expected={"vendor", "boundary", "acls", "revoker", "revoker-policies", "trail"},
        why="It does not tell who calls, and knows neither boundaries nor ownership.",
    ),
]

CEPH_ACCOUNT = [
    Difference(
        cases=[f"{call}, IAM" for call in ("list users", "create user", "attach role policy")],
        expected=REFUSED,
        why="As AWS.",
    ),
    Difference(
        cases=["put user policy, IAM", "create access key, IAM"],
        expected=Answer(404, "NoSuchEntity"),
        why="There is no such user; it says so before it looks at rights. Nothing is written.",
    ),
    Difference(
        cases=["bootstrap: keys"],
        expected={"vendor", "auditor"},
        why="Its IAM makes users; a revoker only when asked for, since it has no boundaries.",
    ),
    Difference(
        cases=["bootstrap: steps"],
        expected={
            "account ACCOUNT": Status.UNCHANGED,
            "ACLs off": Status.NOT_SUPPORTED,
            "public access block": Status.MADE,
            "boundary policy NAME-upload-boundary": Status.NOT_SUPPORTED,
            "boundary of NAME-upload": None,
            "user NAME-revoker": Status.NOT_SUPPORTED,
            "policy of NAME-revoker for NAME-upload": None,
            "access key of NAME-revoker": None,
        },
        why="As AWS, but that it knows neither ownership nor boundaries. What is written belongs "
        "to the account, and no session can assume again.",
    ),
]

# Not all that it does otherwise: it does not keep builds apart and fails the suite.
SEAWEEDFS = [
    Difference(
        cases=["any call, expired"],
        expected=Answer(403, "InvalidAccessKeyId"),
        why="Another code for the same fact.",
    ),
]

DIFFERENCES: dict[tuple[str, str], list[Difference]] = {
    ("ministack", "1.5"): MINISTACK,
    ("ceph", "16.2"): CEPH,
    ("ceph", "18.2"): [*CEPH, *CEPH_18],
    ("ceph", "20.2"): [*CEPH, *CEPH_20],
    ("ceph account", "20.2"): [*CEPH, *CEPH_20, *CEPH_ACCOUNT],
    ("seaweedfs", "4.48"): SEAWEEDFS,
}


@dataclass(frozen=True, kw_only=True)
class Met:
    """A difference that a test met; `opens` where the store accepts what AWS refuses."""

    test: str
    case: str
    opens: bool


class Expectations:
    """What a store is expected to answer: AWS's answer, or its own where the table has the case.

    `met` are the differences that were asked for, for the report.
    """

    def __init__(self, *, kind: str, version: str) -> None:
        self.met: list[Met] = []
        self._own = {
            case: difference.expected
            for (of_kind, of_version), differences in DIFFERENCES.items()
            if of_kind == kind and f"{version}.".startswith(f"{of_version}.")
            for difference in differences
            for case in difference.cases
        }

    def of(self, case: str, on_aws: Any) -> Any:
        expected = self._own.get(case, on_aws)
        if expected != on_aws:
            test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
            opens = _accepts(expected) and not _accepts(on_aws)
            self.met.append(Met(test=test, case=case, opens=opens))
        return expected

    def refusals(self, names: Iterable[str], *, where: str) -> dict[str, Answer]:
        """That each of several calls is refused; the cases are named `<call>, <where>`."""
        return {n: self.of(f"{n}, {where}", OTHER_REFUSALS.get(n, REFUSED)) for n in names}


def _accepts(answer: object) -> bool:
    """Whether an answer lets something happen; a list names what a session can do."""
    if isinstance(answer, list):
        return bool(answer)
    return answer == ACCEPTED or (isinstance(answer, set) and ACCEPTED in answer)
