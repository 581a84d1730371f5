"""The doctor's checks of policies: who may assume the role, what the role may do, and what the
bucket's policy gives away. Made with the auditor's credentials.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from credentials.operations.account import identities
from credentials.operations.account.examination import Examination
from credentials.operations.findings import Finding, Severity
from credentials.rules.account_documents import upload_policy
from credentials.rules.policy_comparison import (
    Document,
    Statement,
    difference,
    is_denial,
    lines_of,
    rights_of,
    statements_of,
)
from credentials.rules.principals import account_of, identity_of, is_same, is_session
from credentials.rules.revocation import POLICY_NAME

READS = ("s3:get", "s3:list", "s3:head", "s3:describe")
WHY_TRUST = (
    "Anyone who can assume the role without this service has all of its rights: "
    "every build in the bucket, without a row in the ledger. If this service "
    "cannot assume it, every job fails."
)
WHY_RIGHTS = (
    "Every session can use additional rights as far as its own policy allows; "
    "without the denials, a header of an upload can make its object public; if "
    "rights are missing, uploads fail."
)
WHY_MANAGED = (
    "The inline policies of a role share 10,240 characters. Previews and limits of revoking count "
    "on all of them: with others there, a revocation fails that should fit."
)
WHY_BOUNDARY = (
    "Who may write the role's policies, as the revoker may, can give every session any right of "
    "the account."
)
WHY_EXTERNAL_ID = (
    "A service that works for several accounts can be made to use the role through "
    "someone else's configuration; the external id is known only to you and the "
    "service (AWS: confused deputy)."
)
# What a bucket policy gives to the ARN of a session, or to anybody, is added to what the session
# policy allows; what it gives to the role is limited by it (AWS IAM user guide, session policies).
GIVEN_AWAY = {
    "public-write": (
        "Anyone may change the bucket or its contents",
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
        "They belong in the role's own policy, under its boundary and its denials.",
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
    own = {account.upload_policy_arn or account.role_name}
    others = [
        name
        for name, document in documents.items()
        if name not in own and _allows_more(document, wanted[0])
    ]
    change = examination.set_up
    if others:
        change = (
            f"Remove these policies from the role: {', '.join(others)}. For the rest:\n{change}"
        )
    findings = list(
        _differing(
            "role-policies", "What the role may do", documents.values(), wanted, WHY_RIGHTS, change
        )
    )
    yield from findings or _beside_managed(examination, documents)


def _beside_managed(
    examination: Examination, documents: Mapping[str, Document]
) -> Iterator[Finding]:
    """Where the role's rights belong into a managed policy: they are in that one, and nothing but
    revocations takes room for inline policies.
    """
    arn = examination.account.upload_policy_arn
    if not arn:
        return
    statements = {name: statements_of(document) for name, document in documents.items()}
    others = [
        name
        for name in documents.keys() - {arn, POLICY_NAME}
        if not (name.startswith("arn:") and all(map(is_denial, statements[name])))
    ]
    if others or arn not in documents:
        left = ", ".join(sorted(others)) or "none"
        yield Finding(
            rule="role-policies.not-managed",
            what=f"The role's rights are not in the managed policy {arn} alone. Besides: {left}.",
            why=WHY_MANAGED,
            change=f"{examination.set_up}\nThen take from the role what is left of these: {left}.",
            severity=Severity.WARNING,
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
        examination.require_managed_policies()
    yield Finding(
        rule="boundary.missing",
        what=f"The role's boundary, {arn}, does not exist."
        if arn
        else "The role has no permissions boundary.",
        why=WHY_BOUNDARY,
        change=examination.set_up,
    )


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
        what=f"{noun} is not as expected (+ is unexpected, - is missing):\n{best}",
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
            change="Remove this from the bucket's policy.",
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
