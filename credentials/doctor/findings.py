"""What the doctor says: findings, and the result of each check. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error makes a job fail or lets somebody in; a warning is worth a look."""

    ERROR = "error"
    WARNING = "warning"


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    NOT_SUPPORTED = "not supported"
    NOT_LOOKED_AT = "not looked at"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is not as it must be.

    `id` is `CHECK.FAULT` and never changes. In `change`, lines that begin with `aws ` or
    `manage.py ` are commands, ready to be run.
    """

    id: str
    what: str
    why: str
    change: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, kw_only=True)
class Result:
    """A check with its findings; `note` says why there is no verdict."""

    check: str
    title: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    note: str = ""


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """The verdict that findings amount to; none are ok."""
    severities = {finding.severity for finding in findings}
    if Severity.ERROR in severities:
        return Verdict.ERROR
    return Verdict.WARNING if severities else Verdict.OK


def count(results: Iterable[Result], severity: Severity) -> int:
    """How many findings of a severity there are."""
    found = (finding for result in results for finding in result.findings)
    return sum(finding.severity is severity for finding in found)
