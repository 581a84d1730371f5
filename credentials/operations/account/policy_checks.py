"""The doctor's checks of policies: who may assume the role, what role and vendor may do, and what
the bucket's policy gives away. Made with the auditor's credentials.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from builds.models import Store
from builds.names import is_role_arn
from credentials.operations.account import identities
from credentials.operations.account.attempts import ONLY_ASSUMING, WHY_STOLEN
from credentials.operations.account.examination import Examination
from credentials.operations.account.obstacles import (
    NotLookedAt,
    NotPermitted,
    NotSupported,
    Obstacle,
)
from credentials.operations.findings import Finding, Severity
from credentials.rules.account_documents import upload_policy, vendor_policy
from credentials.rules.policy_comparison import (
    Document,
    Statement,
    difference,
    is_denial,
    lines_of,
    rights_of,
    statements_of,
)
from credentials.rules.principals import (
    account_of,
    identity_of,
    is_same,
    is_session,
    kind_of,
    name_of,
)

# Whoever assumes a role may set these, and everybody may know who he is: they give nothing.
HARMLESS_TO_ASSUME = ["sts:TagSession", "sts:SetSourceIdentity"]
READS = ("s3:get", "s3:list", "s3:head", "s3:describe")
WHY_TRUST = (
    "Whoever may assume the role without this service has the whole role: every build of the "
    "bucket, with no row in the ledger. If this service may not, every job fails."
)
WHY_RIGHTS = (
    "What is allowed beyond it, every session can use as far as its own policy lets it; without "
    "the denials, a header of an upload makes its object public; what is missing, uploads lack."
)
WHY_BOUNDARY = (
    "Who may write the role's policies, as the revoker may, can give every session any right of "
    "the account."
)
WHY_EXTERNAL_ID = (
    "A service that works for several accounts can be told to use the role by somebody else's "
    "configuration; the external id is what only you and it know (AWS: confused deputy)."
)
# What a bucket policy gives to the ARN of a session, or to anybody, is added to what the session
# policy allows; what it gives to the role is limited by it (AWS IAM user guide, session policies).
GIVEN_AWAY = {
    "public-write": (
        "Anybody may change the bucket or what is in it",
        "Session policies do not limit what everybody is given: any build's credentials, and "
        "strangers, overwrite every build.",
    ),
    "names-session": (
        "The bucket policy gives rights to sessions of the upload role by name",
        "What a session's ARN is given is not limited by its session policy, and so not by the "
        "build it was issued for.",
    ),
    "names-role": (
        "The bucket policy gives rights to the upload role",
        "They belong into the role's own policy, under its boundary and its denials.",
    ),
}


def trust(examination: Examination) -> Iterator[Finding]:
    """It names the vendor and nobody else; sessions may be refused, as some stores need it."""
    account, found = examination.account, examination.role["AssumeRolePolicyDocument"]
    if not examination.vendor_arn:
        trusted = lines_of("+", statements_of(found))
        yield Finding(
            rule="trust.differs",
            what=f"The trust policy does not name one user or role, the vendor:\n{trusted}",
            why=WHY_TRUST,
            change="Leave one statement in it, whose Principal is the vendor's whole ARN. This "
            "store does not tell which that is.",
        )
        return
    forms = (False, True) if account.may_refuse_sessions else (False,)
    wanted = [account.trust(refuse_sessions=strict) for strict in forms]
    yield from _differing(
        "trust", "The trust policy", [found], wanted, WHY_TRUST, examination.set_up
    )
    if not account.external_id and account_of(account.vendor) != account.account_arn:
        yield Finding(
            rule="trust.condition-less",
            what="The vendor is in another account, and the store has no external id.",
            why=WHY_EXTERNAL_ID,
            change="Set an external id for the store in the admin, then ask for it in the trust "
            f"policy:\n{examination.set_up}",
            severity=Severity.WARNING,
        )


def role_policies(examination: Examination) -> Iterator[Finding]:
    """Together they are the wanted one; others may only deny, as those of revocations do."""
    account = examination.account
    documents = identities.policies_of(examination.auditor, "role", account.role_name)
    wanted = _wanted_rights(examination)
    others = [
        name
        for name, document in documents.items()
        if name != account.role_name and _allows_more(document, wanted[0])
    ]
    change = examination.set_up
    if others:
        change = f"Take these policies from the role: {', '.join(others)}. For the rest:\n{change}"
    yield from _differing(
        "role-policies", "What the role may do", documents.values(), wanted, WHY_RIGHTS, change
    )


def _wanted_rights(examination: Examination) -> list[Document]:
    """Presigned POSTs of a store may make public, by an ACL: then that may be left undenied."""
    account = examination.account
    wanted: list[Document] = [account.documents["upload"]]
    if examination.takes_acls:
        wanted.append(
            upload_policy(
                role_arn=account.role_arn,
                bucket=account.bucket,
                kms_key_arn=account.kms_key_arn,
                with_sync=account.with_sync,
                with_public_read=True,
            )
        )
    return wanted


def _allows_more(document: Document, wanted: Document) -> bool:
    extra = difference(statements_of(document), statements_of(wanted)).extra
    return not all(is_denial(each) for each in extra)


def boundary(examination: Examination) -> Iterator[Finding]:
    """The role carries one, which is the wanted one, whatever its name."""
    auditor = examination.auditor
    arn = examination.role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    document = arn and identities.managed_policy(auditor, arn)
    if document:
        wanted = _wanted_rights(examination)
        yield from _differing(
            "boundary", "The boundary", [document], wanted, WHY_RIGHTS, examination.set_up
        )
        return
    if not arn:
        _require_policies(examination)
    yield Finding(
        rule="boundary.missing",
        what=f"The role's boundary, {arn}, does not exist."
        if arn
        else "The role has no permissions boundary.",
        why=WHY_BOUNDARY,
        change=examination.set_up,
    )


def _require_policies(examination: Examination) -> None:
    """Raises NotSupported where a store knows no managed policies, and so no boundary."""
    try:
        identities.managed_policy(examination.auditor, examination.account.boundary_arn)
    except NotSupported:
        raise
    except Obstacle:
        return  # it knows them, whether or not the auditor may see this one


def vendor_policies(examination: Examination) -> Iterator[Finding]:
    """Read as well, since not everything can be tried. Less than an error where it cannot be."""
    arn = examination.vendor_arn
    if not arn:
        raise NotLookedAt(reason="the vendor's name is not known")
    if account_of(arn) != examination.account.account_arn:
        raise NotLookedAt(reason="the vendor is in another account than the role")
    try:
        documents = identities.policies_of(examination.auditor, kind_of(arn), name_of(arn))
    except NotPermitted as err:
        if finding := err.finding("vendor-policies"):
            yield replace(finding, severity=Severity.WARNING)
        return
    more = {name: _beyond_assuming(document) for name, document in documents.items()}
    more = {name: statements for name, statements in more.items() if statements}
    if more:
        yield Finding(
            rule="vendor-policies.more",
            what="The vendor is allowed more than to assume the upload roles:\n"
            + "\n".join(lines_of("+", statements) for statements in more.values()),
            why=WHY_STOLEN,
            change=f"{ONLY_ASSUMING} It has them from: {', '.join(more)}.",
        )


def _beyond_assuming(document: Document) -> list[Statement]:
    """What it allows beyond the upload roles of all stores. Conditions only narrow that."""
    arns = Store.objects.order_by("role_arn").values_list("role_arn", flat=True)
    roles = sorted({arn for arn in arns if is_role_arn(arn)})
    harmless: list[Statement] = [
        {"Effect": "Allow", "Action": HARMLESS_TO_ASSUME, "Resource": roles},
        {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"},
    ]
    allowed = [
        {name: value for name, value in statement.items() if name != "Condition"}
        for statement in statements_of(document)
        if not is_denial(statement)
    ]
    wanted = [*statements_of(vendor_policy(role_arns=roles)), *harmless]
    return list(difference(allowed, wanted).extra)


def _differing(
    check: str,
    noun: str,
    documents: Iterable[Document],
    wanted: Sequence[Document],
    why: str,
    change: str,
) -> Iterator[Finding]:
    """Nothing where the documents together are one of the wanted ones. One that denies more is
    right, but written otherwise; if it does so under a condition only, nothing is said.
    """
    found = [statement for document in documents for statement in statements_of(document)]
    differences = [difference(found, statements_of(each)) for each in wanted]
    best = min(differences, key=lambda each: (not each.only_denies, len(each.extra + each.missing)))
    if best.only_denies and all(each.get("Condition") for each in best.extra):
        return
    yield Finding(
        rule=f"{check}.differs",
        what=f"{noun} is not what it must be (+ is there, - is missing):\n{best}",
        why=why,
        change=change,
        severity=Severity.WARNING if best.only_denies else Severity.ERROR,
    )


def bucket_policy(examination: Examination) -> Iterator[Finding]:
    """Rights that the bucket gives to anybody, to the upload role, or to its sessions. That others
    are let read or write by name is up to the operator.
    """
    answer = examination.bucket_setting("get_bucket_policy")
    given: dict[str, list[Statement]] = {}
    for statement in statements_of(answer["Policy"]) if answer else []:
        for fault in given_away(statement, examination.store.role_arn):
            given.setdefault(fault, []).append(statement)
    for fault, statements in given.items():
        what, why = GIVEN_AWAY[fault]
        yield Finding(
            rule=f"bucket-policy.{fault}",
            what=f"{what}:\n{lines_of('+', statements)}",
            why=why,
            change="Take that out of the bucket's policy.",
            severity=Severity.WARNING if fault == "names-role" else Severity.ERROR,
        )


def given_away(statement: Statement, role_arn: str) -> set[str]:
    if is_denial(statement):
        return set()
    faults = set()
    for right in rights_of(statement):
        name = right.principal.removeprefix("AWS ")
        if name == "*" or name.startswith("NotPrincipal"):
            faults |= set() if right.action.startswith(READS) else {"public-write"}
        elif is_session(name) and is_same(role_arn, identity_of(name)):
            faults.add("names-session")
        elif name == role_arn:
            faults.add("names-role")
    return faults
