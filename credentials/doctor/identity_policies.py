"""Reads every policy of a user or role: its own, those attached to it, those of its groups."""

from collections.abc import Iterator
from typing import Any

from credentials.doctor.hand import Hand
from credentials.doctor.obstacles import NotLookedAt, NotSupported
from credentials.doctor.statements import Document
from credentials.doctor.vendor_policies import GROUP_MARK

Named = tuple[str, Document]


def policies_of(hand: Hand, *, kind: str, name: str) -> dict[str, Document]:
    """The documents of a `user`, `role` or `group` by name; an attached policy's is its ARN.

    Raises an Obstacle; NotLookedAt when there is nobody of that name, NotSupported where a store
    has no policies of its own.
    """
    return dict([*_inline(hand, kind, name), *_attached(hand, kind, name)])


def policies_of_user(hand: Hand, *, name: str) -> dict[str, Document]:
    """The same, with those of the groups that the user is in."""
    documents = policies_of(hand, kind="user", name=name)
    for group in _listed(hand, "list_groups_for_user", "Groups", UserName=name):
        own = policies_of(hand, kind="group", name=group["GroupName"])
        documents |= {
            f"{group['GroupName']}{GROUP_MARK}{policy}": found for policy, found in own.items()
        }
    return documents


def managed_policy(hand: Hand, arn: str) -> Document | None:
    """The version in force of a managed policy; None when there is no such policy."""
    policy = hand.ask(hand.iam, "get_policy", PolicyArn=arn)
    if policy is None:
        return None
    version = policy["Policy"]["DefaultVersionId"]
    found = hand.ask(hand.iam, "get_policy_version", PolicyArn=arn, VersionId=version)
    document: Document | None = found and found["PolicyVersion"]["Document"]
    return document


def _inline(hand: Hand, kind: str, name: str) -> Iterator[Named]:
    owner = {f"{kind.title()}Name": name}
    answer = hand.pages(hand.iam, f"list_{kind}_policies", **owner)
    for policy in _items(answer, "PolicyNames", owner):
        found = hand.ask(hand.iam, f"get_{kind}_policy", PolicyName=policy, **owner)
        if found:  # else it was removed meanwhile
            yield policy, found["PolicyDocument"]


def _attached(hand: Hand, kind: str, name: str) -> Iterator[Named]:
    owner = {f"{kind.title()}Name": name}
    for policy in _listed(hand, f"list_attached_{kind}_policies", "AttachedPolicies", **owner):
        if document := managed_policy(hand, policy["PolicyArn"]):
            yield policy["PolicyArn"], document


def _listed(hand: Hand, method: str, items: str, **owner: str) -> list[Any]:
    """A listing's items; none where the store has no such thing."""
    try:
        answer = hand.pages(hand.iam, method, **owner)
    except NotSupported:
        return []
    return _items(answer, items, owner)


def _items(answer: Any, items: str, owner: dict[str, str]) -> list[Any]:
    if answer is None:
        raise NotLookedAt(f"IAM knows no {' '.join(owner.values())}")
    return list(answer.get(items, []))
