"""The doctor's checks of what the vendor and the revoker may do. It is tried, since not every store
lets it be read, and read with the auditor's credentials, since not everything can be tried.

What is tried aims at the probe build, at the whole bucket only to look; to change something in IAM
is tried by removing what nobody has made.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from builds.models import Store
from builds.names import is_role_arn
from credentials.operations.account import identities
from credentials.operations.account.attempts import BODY, WHY_STOLEN
from credentials.operations.account.clients import StoreClients
from credentials.operations.account.examination import Examination
from credentials.operations.account.obstacles import (
    RUN_AGAIN,
    NotLookedAt,
    NotPermitted,
    NotReadable,
    NotSupported,
    Obstacle,
    Unclear,
)
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
from credentials.rules.revocation import POLICY_NAME

# Whoever assumes a role may set these, and everybody may know who he is: they give nothing.
HARMLESS_TO_ASSUME = ["sts:TagSession", "sts:SetSourceIdentity"]
ONLY_ASSUMING = (
    "Leave the vendor one right, to assume the upload roles: take every other from it, also those "
    "of its groups and of buckets."
)
ONLY_REVOKING = (
    "Leave the revoker two rights, to put and to get inline policies of the upload roles: take "
    "every other from it, also those of its groups and of buckets."
)
WHY_REVOKER = (
    "The revoker's key lies where the clock runs, and is used every minute. Who steals it has "
    "these rights at once, with no row in the ledger."
)
WHY_READING = "What was written for revoked sessions is read back with it: every decision fails."
NO_PROFILE = "LTD_REVOKER_PROFILE names no profile: set it to the one with the revoker's key"
NO_REVOKER = (
    "there is no revoker: create it with bootstrap_store, and name its profile in "
    "LTD_REVOKER_PROFILE"
)
WHY_RIGHTS_OF_REVOKER = (
    "With more than this it can give the upload role any right; with less, sessions that are "
    "revoked here keep working at the store."
)

Calls = Mapping[str, Callable[[], Any]]


def vendor_s3(examination: Examination) -> Iterator[Finding]:
    change = ONLY_ASSUMING
    if examination.store.endpoint_url:
        change += (
            " Where the objects of its sessions belong to the vendor, this denies it what it owns:"
            f"\n{examination.set_up}"
        )
    answers = _tried_s3(examination, examination.vendor)
    yield from _judged("vendor-s3", "vendor", answers, WHY_STOLEN, change)


def vendor_iam(examination: Examination) -> Iterator[Finding]:
    answers = _tried_iam(examination, examination.vendor)
    yield from _judged("vendor-iam", "vendor", answers, WHY_STOLEN, ONLY_ASSUMING)


def revoker(examination: Examination) -> Iterator[Finding]:
    """It is refused what the vendor is, and reads what it wrote. To write is not tried."""
    if examination.revoker.session is None:
        raise NotLookedAt(reason=NO_PROFILE)
    answers = {
        **_tried_iam(examination, examination.revoker),
        **_tried_s3(examination, examination.revoker),
    }
    yield from _judged("revoker", "revoker", answers, WHY_REVOKER, ONLY_REVOKING)
    where = {"RoleName": examination.account.role_name, "PolicyName": POLICY_NAME}
    try:
        examination.revoker.ask("iam", "get_role_policy", **where)
    except NotPermitted:
        yield Finding(
            rule="revoker.refused",
            what=f"The revoker may not read the policy {POLICY_NAME} of the upload role.",
            why=WHY_READING,
            change=examination.set_up,
        )


def _tried_s3(examination: Examination, clients: StoreClients) -> dict[str, str]:
    where = {"Bucket": examination.store.bucket}

    def call(method: str, **arguments: Any) -> Callable[[], Any]:
        return lambda: clients.ask("s3", method, **where, **arguments)

    calls: dict[str, Callable[[], Any]] = {
        "to list buckets": lambda: _list_buckets(clients),
        "to read the bucket's configuration": call("head_bucket"),
        "to list the bucket": call("list_objects_v2", MaxKeys=1),
        "to write below a build": lambda: _write(examination, clients),
    }
    # What is not there cannot show a refusal: some stores say so before they look who asks.
    if (page := examination.page) in examination.written:
        calls |= {
            "to read a build": call("get_object", Key=page),
            "to change ACLs of a build": call("put_object_acl", Key=page, ACL="private"),
            "to delete from a build": call("delete_object", Key=page),
        }
    return _tried(calls)


def _tried_iam(examination: Examination, clients: StoreClients) -> dict[str, str]:
    role = {"RoleName": examination.account.role_name}
    nobody = f"ltdkeeper-doctor-{examination.build.slug}"

    def call(method: str, **arguments: Any) -> Callable[[], Any]:
        return lambda: clients.ask("iam", method, **arguments)

    looks = {
        "to list users": call("list_users"),
        "to list roles": call("list_roles"),
        "to read the role": call("get_role", **role),
        "to list the role's policies": call("list_role_policies", **role),
    }
    # A user that exists: in its accounts, Ceph looks for the user before it asks who may.
    user = {"UserName": name_of(examination.vendor_arn) or nobody, "PolicyName": nobody}
    changes = {"to change users": call("delete_user_policy", **user)}
    if not examination.is_without_role:
        changes["to change the role's policies"] = call(
            "delete_role_policy", **role, PolicyName=nobody
        )
    return _tried(looks) | _tried(changes, if_missing="")


def _tried(calls: Calls, *, if_missing: str = "404") -> dict[str, str]:
    """What was not refused: empty where it was accepted, else a response that is neither.

    `if_missing` says what it means that the store found nothing to do it to.
    """
    answers = {}
    for title, act in calls.items():
        try:
            answers[title] = if_missing if act() is None else ""
        except (NotPermitted, NotSupported):
            continue
        except Unclear as err:
            answers[title] = err.names["answer"]
    return answers


def _judged(
    check: str, who: str, answers: Mapping[str, str], why: str, change: str
) -> Iterator[Finding]:
    """All of it must have been refused."""
    accepted = [title for title, answer in answers.items() if not answer]
    unclear = [f"{title} ({answer})" for title, answer in answers.items() if answer]
    if accepted:
        yield Finding(
            rule=f"{check}.allowed",
            what=f"The {who} was allowed {', '.join(accepted)}.",
            why=why,
            change=change,
        )
    if unclear:
        yield Finding(
            rule=f"{check}.unclear",
            what=f"The store neither did nor refused what the {who} tried: {', '.join(unclear)}.",
            why=f"Only a refusal shows that the {who} may not.",
            change=RUN_AGAIN,
            severity=Severity.WARNING,
        )


def _list_buckets(clients: StoreClients) -> Any:
    """Ceph lets everybody list his own buckets: where there are none, nothing was shown."""
    answer = clients.ask("s3", "list_buckets")
    if answer and clients.store.endpoint_url and not answer.get("Buckets"):
        raise NotSupported(reason="everybody may list his own buckets")
    return answer


def _write(examination: Examination, clients: StoreClients) -> Any:
    """What should not have been written is removed at once, or at the end."""
    ask = clients.ask
    where = {
        "Bucket": examination.store.bucket,
        "Key": f"{examination.build.root}/{clients.whose}.html",
    }
    answer = ask("s3", "put_object", Body=BODY, **where)
    if answer:
        examination.written.append(where["Key"])
        with suppress(Obstacle):
            ask("s3", "delete_object", **where)
            examination.written.remove(where["Key"])
    return answer


def vendor_policies(examination: Examination) -> Iterator[Finding]:
    arn = examination.vendor_arn
    if not arn:
        raise NotLookedAt(reason="the vendor's name is not known")
    documents = _policies_of(examination, "vendor", arn)
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
    documents = _policies_of(examination, "revoker", examination.revoker_arn)
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
            why=WHY_RIGHTS_OF_REVOKER,
            change=f"Remove the unexpected rights. It has its rights from: "
            f"{', '.join(documents) or 'nothing'}. For the rest:\n{examination.set_up}{option}",
            severity=Severity.WARNING if judged.only_denies else Severity.ERROR,
        )


def _policies_of(examination: Examination, who: str, arn: str) -> dict[str, Document]:
    """Raises an Obstacle. That the auditor may not list them is less than an error."""
    if account_of(arn) != examination.account.account_arn:
        raise NotLookedAt(reason=f"the {who} is in another account than the role")
    if kind_of(arn) not in {"user", "role"}:
        raise NotLookedAt(reason=f"{arn} is no user and no role, and has no policies")
    is_unnamed_revoker = who == "revoker" and examination.revoker.session is None
    try:
        return identities.policies_of(examination.auditor, kind_of(arn), name_of(arn))
    except NotReadable:
        raise
    except NotPermitted as err:
        if is_unnamed_revoker and not _has_boundaries(examination):  # made only when asked for
            raise NotLookedAt(reason=NO_REVOKER) from err
        err.severity = Severity.WARNING
        raise
    except NotLookedAt as err:
        if is_unnamed_revoker:
            raise NotLookedAt(reason=NO_REVOKER) from err
        raise


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
