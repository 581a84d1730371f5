"""Whose rights are judged: the upload role's policies, or its boundary. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from credentials.doctor.commands import aws, removal
from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding
from credentials.doctor.statements import Document


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Documents by their names: an attached policy's name is its ARN.

    `change` puts the right document in place; `removals` take away the policies beside it.
    """

    check: str
    noun: str
    documents: Mapping[str, Document]
    change: str
    removals: Mapping[str, str] = field(default_factory=dict)

    def finding(self, fault: str, what: str, why: str, *, policies: Iterable[str] = ()) -> Finding:
        """`policies` are those that cause it: no others are taken away, least of all denials."""
        removals = [self.removals[name] for name in policies if name in self.removals]
        return Finding(
            id=f"{self.check}.{fault}",
            what=f"{self.noun} {what}",
            why=why,
            change="\n".join([self.change, *removals]),
        )


def role_policies(documents: Mapping[str, Document], expected: Expected) -> Subject:
    """The role's own policies, of which it needs one."""
    role = expected.role_name
    return Subject(
        check="role-policies",
        noun="The role",
        documents=documents,
        change=aws(
            expected,
            "iam put-role-policy",
            role_name=role,
            policy_name=role,
            policy_document=expected.upload,
        ),
        removals={
            name: removal(expected, kind="role", owner=role, policy=name)
            for name in documents
            if name != role
        },
    )


def boundary(document: Document, *, arn: str, expected: Expected) -> Subject:
    """The document in force of the managed policy that is the role's boundary."""
    return Subject(
        check="boundary",
        noun="The boundary",
        documents={arn: document},
        change=aws(
            expected,
            "iam create-policy-version",
            policy_arn=arn,
            policy_document=expected.boundary,
            set_as_default=True,
        ),
    )
