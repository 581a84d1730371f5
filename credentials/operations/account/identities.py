"""The identities of the account: the upload role with its boundary and policies, and the users."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from credentials.operations.account.clients import StoreClients
from credentials.operations.account.obstacles import (
    NotLookedAt,
    NotPermitted,
    NotReadable,
    NotSupported,
)
from credentials.operations.account.requirements import Requirement
from credentials.rules.account_documents import WantedAccount
from credentials.rules.policy_comparison import Document, is_same
from credentials.rules.principals import account_of, name_of

WHY_USER = {
    "vendor": "This service runs with it; it may assume upload roles and do nothing else.",
    "auditor": "Audits read the bucket and the role with it, and change nothing.",
    "revoker": "Revoking writes denials into the role with it, and cannot widen the role.",
}
# AWS keeps as many versions of a managed policy and refuses another (AWS IAM quotas).
MOST_VERSIONS = 5
NO_INLINE = "none"
WHY_RIGHTS = "Builds of this bucket only, never made public or redirected."
NO_BOUNDARY = "Nothing but its own policy limits the upload role: no revoker is made."


def ceph_account(clients: StoreClients, account: WantedAccount) -> Requirement:
    """One of Ceph's accounts, and that the operator's key is one of it: only its own tool can make
    either.
    """
    arn = account.account_arn
    name = arn.rpartition(":")[2]

    def look() -> Any:
        answer = clients.ask("iam", "get_user")
        return answer and account_of(answer["User"]["Arn"])

    def make() -> None:
        raise NotSupported(reason="this key is not one of the account")

    return Requirement(
        what=f"account {name}",
        why="The role, the users and the bucket belong to it.",
        wanted=arn,
        look=look,
        put=make,
        unsupported="Create it and its root user, and name that user's key with --profile: "
        f"radosgw-admin account create --account-id {name} --account-name ltdkeeper && "
        "radosgw-admin user create --uid ltdkeeper-root --display-name ltdkeeper-root "
        f"--account-id {name} --account-root --gen-access-key",
    )


def boundary_policy(clients: StoreClients, account: WantedAccount) -> Requirement:
    """The managed policy that the role carries as its boundary."""
    arn, document = account.boundary_arn, account.documents["boundary"]
    return Requirement(
        what=f"boundary policy {account.boundary_name}",
        why="Limits what any policy of the upload role can grant.",
        wanted=document,
        look=lambda: managed_policy(clients, arn),
        put=lambda: _put_managed_policy(clients, arn, document),
        equals=is_same,
        unsupported=NO_BOUNDARY,
    )


def _put_managed_policy(clients: StoreClients, arn: str, document: str) -> None:
    """Make the policy, or give it a new version that is in force at once."""
    if managed_policy(clients, arn) is None:
        clients.iam.create_policy(PolicyName=arn.rpartition("/")[2], PolicyDocument=document)
        return
    versions = clients.iam.list_policy_versions(PolicyArn=arn)["Versions"]
    if len(versions) >= MOST_VERSIONS:
        replaced = [each for each in versions if not each["IsDefaultVersion"]]
        oldest = min(replaced, key=lambda each: each["CreateDate"])
        clients.iam.delete_policy_version(PolicyArn=arn, VersionId=oldest["VersionId"])
    clients.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)


def managed_policy(clients: StoreClients, arn: str) -> Any:
    """The document in force of a managed policy; None when there is no such policy."""
    policy = clients.ask("iam", "get_policy", PolicyArn=arn)
    if policy is None:
        return None
    version = policy["Policy"]["DefaultVersionId"]
    answer = clients.ask("iam", "get_policy_version", PolicyArn=arn, VersionId=version)
    return answer and answer["PolicyVersion"]["Document"]


def policies_of(clients: StoreClients, kind: str, name: str) -> dict[str, Document]:
    """The documents of a `user`, `role` or `group` by name, a user's with those of its groups.

    An attached policy's name is its ARN. Raises an Obstacle: NotLookedAt when there is nobody of
    that name, NotSupported where a store has no policies of its own, NotReadable for an attached
    policy or a group that may not be read.
    """
    owner = {f"{kind.title()}Name": name}
    answer = _existing(clients.pages("iam", f"list_{kind}_policies", **owner), name)
    found = {
        policy: _document(clients.ask("iam", f"get_{kind}_policy", PolicyName=policy, **owner))
        for policy in answer.get("PolicyNames", [])
    }
    for policy in _listed(clients, f"list_attached_{kind}_policies", "AttachedPolicies", owner):
        with _held_by(name):
            found[policy["PolicyArn"]] = managed_policy(clients, policy["PolicyArn"])
    if kind == "user":
        for group in _listed(clients, "list_groups_for_user", "Groups", owner):
            with _held_by(name):
                own = policies_of(clients, "group", group["GroupName"])
            found |= {f"group {group['GroupName']}: {policy}": own[policy] for policy in own}
    # A policy without a document was removed meanwhile.
    return {policy: document for policy, document in found.items() if document}


@contextmanager
def _held_by(name: str) -> Iterator[None]:
    try:
        yield
    except NotPermitted as err:
        raise NotReadable(**{"owner": name} | err.names) from err.__cause__


def _listed(clients: StoreClients, method: str, items: str, owner: Mapping[str, str]) -> list[Any]:
    """A listing's items; none where the store has no such thing."""
    try:
        answer = clients.pages("iam", method, **owner)
    except NotSupported:
        return []
    return list(_existing(answer, *owner.values()).get(items, []))


def _existing(answer: Any, name: str) -> Any:
    if answer is None:
        raise NotLookedAt(reason=f"IAM knows no {name}")
    return answer


def role(clients: StoreClients, account: WantedAccount) -> Requirement:
    return Requirement(
        what=f"role {account.role_name}",
        why="Every session is one of this role, narrowed to one build.",
        wanted=account.role_arn,
        look=lambda: _of_role(clients, account, "Arn"),
        put=lambda: clients.iam.create_role(
            RoleName=account.role_name,
            Path=account.role_path,
            MaxSessionDuration=account.session_seconds,
            AssumeRolePolicyDocument=account.trust(refuse_sessions=False),
        ),
        late_codes=_late_codes(account),
        unsupported="Make it with the store's own tools, with the document named trust.",
    )


def trust(clients: StoreClients, account: WantedAccount, *, refuse_sessions: bool) -> Requirement:
    document = account.trust(refuse_sessions=refuse_sessions)
    return Requirement(
        what=f"trust policy of {account.role_name}",
        why=f"Only {account.vendor} may assume the role.",
        wanted=document,
        look=lambda: _of_role(clients, account, "AssumeRolePolicyDocument"),
        put=lambda: clients.iam.update_assume_role_policy(
            RoleName=account.role_name, PolicyDocument=document
        ),
        late_codes=_late_codes(account),
        equals=is_same,
    )


def _late_codes(account: WantedAccount) -> frozenset[str]:
    """How AWS refuses a trust policy that names a user who was made a moment ago."""
    is_new = account.is_aws and account.makes_vendor
    return frozenset({"MalformedPolicyDocument"} if is_new else ())


def role_boundary(clients: StoreClients, account: WantedAccount) -> Requirement:
    def look() -> Any:
        carried = _of_role(clients, account, "PermissionsBoundary")
        return carried and carried.get("PermissionsBoundaryArn")

    return Requirement(
        what=f"boundary of {account.role_name}",
        why="With it, who may rewrite the role's policies cannot widen the role.",
        wanted=account.boundary_arn,
        look=look,
        put=lambda: clients.iam.put_role_permissions_boundary(
            RoleName=account.role_name, PermissionsBoundary=account.boundary_arn
        ),
        unsupported=NO_BOUNDARY,
    )


def longest_session(clients: StoreClients, account: WantedAccount) -> Requirement:
    seconds = account.session_seconds
    return Requirement(
        what=f"longest session of {account.role_name}: {seconds} s",
        why="The store refuses longer sessions.",
        wanted=seconds,
        look=lambda: _of_role(clients, account, "MaxSessionDuration"),
        put=lambda: clients.iam.update_role(RoleName=account.role_name, MaxSessionDuration=seconds),
        unsupported="Set it with the store's own tools, or make the role anew.",
    )


def role_rights(clients: StoreClients, account: WantedAccount) -> list[Requirement]:
    """What gives the role its rights, in the order that stops no upload: the managed policy has to
    be attached before an inline one from before goes.
    """
    if not account.upload_policy_arn:
        return [upload_policy(clients, account)]
    return [
        managed_upload_policy(clients, account),
        attached_upload_policy(clients, account),
        no_inline_upload_policy(clients, account),
    ]


def managed_upload_policy(clients: StoreClients, account: WantedAccount) -> Requirement:
    return _managed(clients, account.upload_policy_arn, account.documents["upload"], WHY_RIGHTS)


def attached_upload_policy(clients: StoreClients, account: WantedAccount) -> Requirement:
    why = "It contains the role's rights."
    return _attached(clients, "role", account.role_name, account.upload_policy_arn, why)


def no_inline_upload_policy(clients: StoreClients, account: WantedAccount) -> Requirement:
    return _no_inline(
        clients,
        "role",
        account.role_name,
        account,
        what=f"no inline policy of {account.role_name} but revocations",
        why="Inline policies share 10,240 characters: all of them are for revoked sessions.",
    )


def _managed(clients: StoreClients, arn: str, document: str, why: str) -> Requirement:
    return Requirement(
        what=f"managed policy {name_of(arn)}",
        why=why,
        wanted=document,
        look=lambda: managed_policy(clients, arn),
        put=lambda: _put_managed_policy(clients, arn, document),
        equals=is_same,
    )


def _attached(clients: StoreClients, kind: str, name: str, arn: str, why: str) -> Requirement:
    """A `user` or `role` has the managed policy."""
    owner = {f"{kind.title()}Name": name}

    def look() -> str | None:
        answer = clients.pages("iam", f"list_attached_{kind}_policies", **owner) or {}
        attached = [each["PolicyArn"] for each in answer.get("AttachedPolicies", [])]
        return arn if arn in attached else None

    return Requirement(
        what=f"managed policy of {name}",
        why=why,
        wanted=arn,
        look=look,
        put=lambda: getattr(clients.iam, f"attach_{kind}_policy")(**owner, PolicyArn=arn),
    )


def _no_inline(
    clients: StoreClients, kind: str, name: str, account: WantedAccount, *, what: str, why: str
) -> Requirement:
    """The inline policy of an earlier version, named by the role, is gone."""
    where = {f"{kind.title()}Name": name, "PolicyName": account.role_name}
    return Requirement(
        what=what,
        why=why,
        wanted=NO_INLINE,
        look=lambda: _document(clients.ask("iam", f"get_{kind}_policy", **where)) or NO_INLINE,
        put=lambda: getattr(clients.iam, f"delete_{kind}_policy")(**where),
    )


def upload_policy(clients: StoreClients, account: WantedAccount) -> Requirement:
    """The role's own policy, inline, which has the role's name."""
    where = {"RoleName": account.role_name, "PolicyName": account.role_name}
    return Requirement(
        what=f"policy of {account.role_name}",
        why=WHY_RIGHTS,
        wanted=account.documents["upload"],
        look=lambda: _document(clients.ask("iam", "get_role_policy", **where)),
        put=lambda: clients.iam.put_role_policy(
            **where, PolicyDocument=account.documents["upload"]
        ),
        equals=is_same,
        unsupported="Give the role the document named upload with the store's own tools.",
    )


def user(clients: StoreClients, account: WantedAccount, kind: str) -> Requirement:
    name = account.user_name(kind)

    def look() -> Any:
        answer = clients.ask("iam", "get_user", UserName=name)
        return answer and answer["User"]["Arn"]

    return Requirement(
        what=f"user {name}",
        why=WHY_USER[kind],
        wanted=account.user_arn(kind),
        look=look,
        put=lambda: clients.iam.create_user(UserName=name),
        unsupported=f"Make the {kind} with the store's own tools, with the document named {kind}.",
    )


def user_rights(clients: StoreClients, account: WantedAccount, kind: str) -> list[Requirement]:
    """What gives a user its rights for this role, in the order in which it is made."""
    arn = account.auditor_policy_arn
    if kind != "auditor" or not arn:
        return [user_policy(clients, account, kind)]
    name, why = account.user_name(kind), WHY_USER[kind]
    return [
        _managed(clients, arn, account.documents[kind], why),
        _attached(clients, "user", name, arn, why),
        _no_inline(
            clients,
            "user",
            name,
            account,
            what=f"no inline policy of {name} for {account.role_name}",
            why="Inline policies of a user share 2,048 characters, which two stores would exceed.",
        ),
    ]


def user_policy(clients: StoreClients, account: WantedAccount, kind: str) -> Requirement:
    """Named by the role, so that the users serve several roles of one account."""
    where = {"UserName": account.user_name(kind), "PolicyName": account.role_name}
    return Requirement(
        what=f"policy of {account.user_name(kind)} for {account.role_name}",
        why=WHY_USER[kind],
        wanted=account.documents[kind],
        look=lambda: _document(clients.ask("iam", "get_user_policy", **where)),
        put=lambda: clients.iam.put_user_policy(**where, PolicyDocument=account.documents[kind]),
        equals=is_same,
    )


def _of_role(clients: StoreClients, account: WantedAccount, name: str) -> Any:
    answer = clients.ask("iam", "get_role", RoleName=account.role_name)
    return answer and answer["Role"].get(name)


def _document(answer: Any) -> Any:
    return answer and answer["PolicyDocument"]
