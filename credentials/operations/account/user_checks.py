"""The doctor's checks of what the vendor and the revoker may do, by their policies and those of
their groups. Made with the auditor's credentials.
"""

from collections.abc import Iterator
from dataclasses import replace

from builds.models import Store
from builds.names import is_role_arn
from credentials.operations.account import identities
from credentials.operations.account.attempts import WHY_STOLEN
from credentials.operations.account.examination import Examination
from credentials.operations.account.obstacles import NotLookedAt, NotPermitted, NotSupported
from credentials.operations.account.refused_calls import ONLY_ASSUMING
from credentials.operations.account.requirements import wanted_account
from credentials.operations.findings import Finding, Severity
from credentials.rules.account_documents import WantedAccount, vendor_policy
from credentials.rules.policy_comparison import (
    Difference,
    Document,
    Statement,
    difference,
    is_denial,
    lines_of,
    statements_of,
)
from credentials.rules.principals import account_of, kind_of, name_of

# Whoever assumes a role may set these, and everybody may know who he is: they give nothing.
HARMLESS_TO_ASSUME = ["sts:TagSession", "sts:SetSourceIdentity"]
NO_REVOKER = (
    "there is no revoker: create it with bootstrap_store, and name its profile in "
    "LTD_REVOKER_PROFILE"
)
WHY_REVOKER = (
    "With more than this it can give the upload role any right; with less, sessions that are "
    "revoked here keep working at the store."
)


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
        is_named = examination.revoker.session is not None
        if not is_named and not _has_boundaries(examination):  # made only when asked for
            raise NotLookedAt(reason=NO_REVOKER) from err
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


def revoker_policies(examination: Examination) -> Iterator[Finding]:
    """Its rights are the wanted ones: for the store's role, and for others of the account."""
    arn = examination.revoker_arn
    if account_of(arn) != examination.account.account_arn:
        raise NotLookedAt(reason="the revoker is in another account than the role")
    try:
        documents = identities.policies_of(examination.auditor, kind_of(arn), name_of(arn))
    except NotPermitted as err:
        is_named = examination.revoker.session is not None
        if not is_named and not _has_boundaries(examination):  # made only when asked for
            raise NotLookedAt(reason=NO_REVOKER) from err
        if finding := err.finding("revoker-policies"):
            yield replace(finding, severity=Severity.WARNING)
        return
    except NotLookedAt as err:
        is_named = examination.revoker.session is not None
        raise NotLookedAt(reason=str(err) if is_named else NO_REVOKER) from err
    has_boundaries = _has_boundaries(examination)
    found = [each for document in documents.values() for each in statements_of(document)]
    judged = Difference(
        extra=difference(found, _revoking_any_role(has_boundaries=has_boundaries)).extra,
        missing=difference(found, _revoking(examination.account, has_boundaries)).missing,
    )
    if judged:
        option = "" if has_boundaries else " --with-revoker"
        yield Finding(
            rule="revoker-policies.differs",
            what="The revoker's rights are not as expected (+ is unexpected, - is missing):\n"
            f"{judged}",
            why=WHY_REVOKER,
            change=f"Remove the unexpected rights. It has its rights from: "
            f"{', '.join(documents) or 'nothing'}. For the rest:\n{examination.set_up}{option}",
            severity=Severity.WARNING if judged.only_denies else Severity.ERROR,
        )


def _has_boundaries(examination: Examination) -> bool:
    try:
        examination.require_managed_policies()
    except NotSupported:
        return False
    return True


def _revoking(account: WantedAccount, has_boundaries: bool) -> list[Statement]:  # noqa: FBT001
    return statements_of(replace(account, has_boundaries=has_boundaries).revoker_document)


def _revoking_any_role(*, has_boundaries: bool) -> list[Statement]:
    """What it may do for all stores: those of one account may share it."""
    accounts = [wanted_account(each) for each in Store.objects.order_by("name")]
    return [
        statement
        for account in accounts
        if is_role_arn(account.role_arn)
        for statement in _revoking(account, has_boundaries)
    ]
