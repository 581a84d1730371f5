"""Why a store's account could not be examined. None of this is a crash. Pure but for botocore's
classes.
"""

from enum import StrEnum

from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from credentials.operations.findings import Finding, Severity
from credentials.vending.store_errors import (
    UNSUPPORTED_CODES,
    UNSUPPORTED_STATUSES,
    VENDOR_REFUSED,
    error_code,
    http_status,
)

UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
# How a bucket without ACLs answers a call about one.
NO_ACLS = frozenset({"AccessControlListNotSupported"})
# KMS answers 400 to everything, also in these two cases.
DENIED_CODES = {"AccessDenied", "AccessDeniedException"}
MISSING_CODES = {"NotFoundException", "NoSuchEntity"}
UNKNOWN = "Whatever was not checked may be wrong."
RUN_AGAIN = (
    "Run the doctor again; if this persists, check the store's endpoint in the admin, and contact "
    "its operator."
)


class Whose(StrEnum):
    """Whose credentials a call is made with."""

    OPERATOR = "operator"
    AUDITOR = "auditor"
    VENDOR = "vendor"
    REVOKER = "revoker"


HOW_TO_GIVE = {
    Whose.OPERATOR: "Use credentials that may set up the account: --profile.",
    Whose.AUDITOR: "Name a profile with the auditor's key: --profile, or LTD_AUDITOR_PROFILE.",
    Whose.VENDOR: "Give the service the vendor's key, as AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY or as a role of its machine.",
    Whose.REVOKER: "Name a profile with the revoker's key: LTD_REVOKER_PROFILE.",
}


class Obstacle(Exception):
    """Something could not be looked at; the text says why.

    A kind with a `rule` is something to put right, and these are its finding, with places for
    names. One that `concerns_all` is reported once and not for every check that it stops.
    """

    text = "{reason}"
    rule = what = why = change = ""
    severity = Severity.ERROR
    concerns_all = False

    def __init__(self, **names: str) -> None:
        super().__init__(self.text.format(**names))
        self.names = names

    def finding(self, check: str) -> Finding | None:
        """What has to be put right before the check can be made, if anything has."""
        if not self.rule:
            return None
        names = self.names | {"check": check}
        return Finding(
            rule=self.rule.format(**names),
            what=self.what.format(**names),
            why=self.why,
            change=self.change.format(**names),
            severity=self.severity,
        )


class NotSupported(Obstacle):
    """The store does not know the call."""


class NotLookedAt(Obstacle):
    """There is nothing to look at, for the reason given."""


class NoBucket(NotLookedAt):
    """There is no bucket of the name."""


class NotPermitted(Obstacle):
    """The credentials lack a right to look."""

    text = "could not look: needs {action}"
    rule = "{check}.no-permission"
    what = "Could not look: the {whose} needs {action}."
    why = UNKNOWN
    change = "Allow the {whose} {action} on {resource}; the auditor's document has it."


class NotReadable(NotPermitted):
    """The credentials lack a right to read a policy, or a group, that somebody is known to have and
    that no document of ours gives to anybody.
    """

    what = "Could not look at what {owner} has from {resource}: the {whose} needs {action}."
    change = "Take it from {owner}, or allow the {whose} {action} on {resource}."


class Unclear(Obstacle):
    """The store answered something that says neither yes nor no."""

    text = "{action}: {answer}"
    rule = "{check}.unclear"
    what = "Could not look: {action} gave {answer}."
    why = UNKNOWN
    change = RUN_AGAIN


class KeyRefused(Obstacle):
    """There are no credentials, or the store does not accept them."""

    text = "the {whose}'s credentials are not usable"
    rule = "{whose}.no-credentials"
    what = "The {whose}'s credentials are not usable: {answer}."
    why = (
        "Without the vendor's no job gets credentials; without the auditor's nothing of the "
        "account can be examined; without the revoker's, revoked sessions keep working at the "
        "store."
    )
    concerns_all = True

    @property
    def change(self) -> str:  # type: ignore[override]
        return HOW_TO_GIVE[Whose(self.names["whose"])]


class Unreachable(Obstacle):
    """An endpoint does not answer."""

    text = "{endpoint} does not answer"
    rule = "store.unreachable"
    what = "{endpoint} does not answer ({answer})."
    why = "No job gets credentials or uploads anything, and nothing can be looked at."
    change = (
        "Correct the network, proxy or TLS in between, or the store's endpoint and region "
        "in the admin."
    )
    concerns_all = True


def obstacle_of(err: ClientError, *, whose: Whose, action: str, resource: str) -> Obstacle | None:
    """What a refused call means; None where what it names is not there."""
    status, code = http_status(err), error_code(err)
    if code in VENDOR_REFUSED:
        return KeyRefused(whose=whose, answer=code)
    if status in {UNAUTHORIZED, FORBIDDEN} or code in DENIED_CODES:
        return NotPermitted(whose=whose, action=action, resource=resource)
    if is_unsupported(err, NO_ACLS):
        return NotSupported(reason=f"this store does not know {action}")
    if code == "NoSuchBucket":
        return NoBucket(reason="there is no bucket")
    if status == NOT_FOUND or code in MISSING_CODES:
        return None
    return Unclear(action=action, answer=f"{status} {code}")


def is_unsupported(err: Exception | None, codes: frozenset[str] = frozenset()) -> bool:
    """Whether the store says that it does not know the call at all."""
    if not isinstance(err, ClientError):
        return False
    return http_status(err) in UNSUPPORTED_STATUSES or error_code(err) in UNSUPPORTED_CODES | codes


def describe(err: Exception) -> str:
    """The store's own words about an error, for the operator, or what he can do about it."""
    answer = err.__cause__ if isinstance(err, Obstacle) else err
    if isinstance(answer, ClientError):
        message = answer.response.get("Error", {}).get("Message") or ""
        needed = f"({err.names['action']} is needed)" if isinstance(err, NotPermitted) else ""
        return " ".join(f"{http_status(answer)} {error_code(answer)} {message} {needed}".split())
    if isinstance(err, Obstacle) and err.concerns_all and (finding := err.finding("")):
        return finding.message
    if isinstance(err, (LookupError, ResponseParserError)):  # its text may be the whole response
        return f"the response is not one to this call ({type(err).__name__})"
    return str(err)
