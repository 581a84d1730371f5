"""Judges the vendor's own policies: they allow to assume the upload roles, nothing else. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from credentials.doctor.attempts import WHY, only_assuming
from credentials.doctor.commands import aws, removal
from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding
from credentials.doctor.principals import kind_of, name_of
from credentials.doctor.statements import Document, Statement, allows_of

CHECK = "vendor-policies"
GROUP_MARK = ": "
# The second tells who somebody is, which everybody may know of himself.
ALLOWED = {"sts:assumerole", "sts:getcalleridentity", "sts:tagsession", "sts:setsourceidentity"}
FAULTS = {
    "other-action": ("The vendor is allowed more than sts:AssumeRole", WHY),
    "other-role": (
        "The vendor may assume other roles than those of the stores",
        f"Each is a way around the upload roles' limits. {WHY}",
    ),
}


def judge_vendor_policies(
    documents: Mapping[str, Document], expected: Expected
) -> Iterator[Finding]:
    """What they allow beyond the upload roles, as one finding for each way."""
    details: dict[str, dict[str, str]] = defaultdict(dict)
    for name, document in documents.items():
        for statement in allows_of(document):
            for fault, detail in _excesses(statement, expected):
                details[fault][name] = detail
    for fault, found in details.items():
        what, why = FAULTS[fault]
        told = "; ".join(f"{detail} (policy {name})" for name, detail in found.items())
        yield Finding(
            id=f"{CHECK}.{fault}",
            what=f"{what}: {told}.",
            why=why,
            change=only_assuming(expected, *_removals(found, expected)),
        )


def _removals(policies: Iterable[str], expected: Expected) -> Iterator[str]:
    """A group's policy is named `GROUP: POLICY`: the vendor leaves the group."""
    kind, owner = kind_of(expected.vendor_arn), name_of(expected.vendor_arn)
    for policy in policies:
        group, is_group_s, _ = policy.partition(GROUP_MARK)
        if is_group_s:
            yield aws(expected, "iam remove-user-from-group", user_name=owner, group_name=group)
        elif policy != expected.role_name:  # that one is replaced
            yield removal(expected, kind=kind, owner=owner, policy=policy)


def _excesses(statement: Statement, expected: Expected) -> Iterator[tuple[str, str]]:
    others = [action for action in statement.actions if action.lower() not in ALLOWED]
    if others:
        negated = " but some" if "NotAction" in statement.negated else ""
        yield "other-action", f"{', '.join(others)}{negated}"
        return
    if {action.lower() for action in statement.actions} == {"sts:getcalleridentity"}:
        return
    roles = set(statement.resources) - {expected.role_arn, *expected.upload_roles}
    if roles:
        yield "other-role", ", ".join(sorted(roles))
