"""Examines a store's account: makes every check, even if another fails."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import boto3

from builds.models import Store
from credentials.operations.account import attempts, policy_checks, setting_checks, user_checks
from credentials.operations.account.examination import Examination
from credentials.operations.account.obstacles import NotSupported, Obstacle, Unclear
from credentials.operations.findings import Finding, Rule, Severity, count, finding_lines, indented
from credentials.rules.account_documents import UnsafeIdentityError
from credentials.rules.policy_comparison import UnreadableDocumentError

# A policy that is none, a name that no policy is made of, an answer without what it should have.
UNREADABLE = (UnreadableDocumentError, UnsafeIdentityError, KeyError)
# Check -> title and act, in the order in which they are made: each builds on those before it.
CHECKS: dict[str, tuple[str, Callable[[Examination], Iterator[Finding]]]] = {
    "row": ("The store is legal", setting_checks.row),
    "endpoint": ("Endpoints, region and role belong together", setting_checks.endpoint),
    "clock": ("The clock agrees with the store's", setting_checks.clock),
    "vendor": ("The service has AWS credentials", attempts.vendor),
    "role": ("The role exists", setting_checks.role),
    "assuming": ("The vendor can assume the role", attempts.assuming),
    "writing": ("A session can write its build", attempts.writing),
    "vendor-s3": ("The vendor has no right in S3 (tried)", user_checks.vendor_s3),
    "vendor-iam": ("The vendor has no right in IAM (tried)", user_checks.vendor_iam),
    "vendor-policies": (
        "The vendor's policies allow AssumeRole only",
        user_checks.vendor_policies,
    ),
    "revoker": ("The revoker has no other right (tried)", user_checks.revoker),
    "revoker-policies": (
        "The revoker's policies allow revoking only",
        user_checks.revoker_policies,
    ),
    "trust": ("The role trusts only the vendor", policy_checks.trust),
    "lifetimes": ("Sessions can last as long as configured", setting_checks.lifetimes),
    "role-policies": ("The role reaches builds and no more", policy_checks.role_policies),
    "boundary": ("The role has its boundary", policy_checks.boundary),
    "bucket": ("The bucket exists, in the store's region", setting_checks.bucket_place),
    "bucket-policy": ("The bucket's policy grants nothing", policy_checks.bucket_policy),
    "public-access": ("Public access is blocked", setting_checks.public_access),
    "acls": ("The bucket accepts no ACLs", setting_checks.acls),
    "unfinished-uploads": ("Unfinished uploads are removed", setting_checks.unfinished_uploads),
    "encryption": ("The bucket's key is the store's", setting_checks.encryption),
    "kms-key": ("The store's KMS key can be used", setting_checks.kms_key),
    "trail": ("CloudTrail's logs can be read", setting_checks.trail),
    "cleaning": ("Test objects are removed", attempts.cleaning),
}
# What keeps all checks from being made: what an earlier run found may still be so.
BLIND = (".no-credentials", ".unreachable")


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    NOT_SUPPORTED = "not supported"
    NOT_LOOKED_AT = "not looked at"


@dataclass(frozen=True, kw_only=True)
class Result:
    """A check with its findings; `note` says why there is no verdict."""

    check: str
    title: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    note: str = ""

    def lines(self) -> Iterator[str]:
        """A line for the check, and what was found below it."""
        is_bad = self.verdict in {Verdict.WARNING, Verdict.ERROR}
        mark = self.verdict.upper() if is_bad else self.verdict
        yield f"{mark:<14} {self.check:<19} {self.title}"
        if self.note:
            yield from indented(f"({self.note})", " " * 35)
        change = ""
        for finding in self.findings:
            yield from finding_lines(finding, is_change_known=finding.change == change)
            change = finding.change


def findings_of(results: Sequence[Result]) -> list[Finding]:
    return [finding for result in results for finding in result.findings]


def kept_findings(results: Sequence[Result]) -> Iterator[Finding]:
    """Of each check one, by its name: what it says may change from one run to the next."""
    for result in results:
        if result.findings:
            yield Finding(
                rule=Rule.ACCOUNT_WRONG,
                subject=result.check,
                severity=Severity(result.verdict.value),
                what=_texts(each.what for each in result.findings),
                why=_texts(each.why for each in result.findings),
                change=_texts(each.change for each in result.findings),
            )


def _texts(texts: Iterable[str]) -> str:
    """None twice."""
    return "\n".join(dict.fromkeys(texts))


def has_looked(results: Sequence[Result]) -> bool:
    """Whether every check was made, or had a reason of its own not to be."""
    rules = {finding.rule for finding in findings_of(results)}
    return len(results) == len(CHECKS) and not any(rule.endswith(BLIND) for rule in rules)


def summary_line(results: Sequence[Result]) -> str:
    """One sentence on a store."""
    counts = {each: count(findings_of(results), each) for each in Severity}
    if not any(counts.values()):
        return "Nothing to change."
    told = (f"{number} {name}{'' if number == 1 else 's'}" for name, number in counts.items())
    return f"{', '.join(told)}."


def document(stores: Mapping[str, Sequence[Result]], **error: str) -> dict[str, Any]:
    """One object: counts, and for every store its checks with their findings. With `error`, the
    last store may lack some.
    """
    findings = [finding for results in stores.values() for finding in findings_of(results)]
    return {
        "errors": count(findings, Severity.ERROR),
        "warnings": count(findings, Severity.WARNING),
        "stores": [{"store": name, "checks": results} for name, results in stores.items()],
        **error,
    }


def examine_store(
    *,
    store: Store,
    auditor: boto3.session.Session | None,
    revoker: boto3.session.Session | None,
    on_result: Callable[[Result], None] = lambda _result: None,
) -> list[Result]:
    """The results of all checks, in order. `on_result` hears each as it is known.

    What the account and its store do is a result, never an exception. Nothing else can be looked at
    while the store's row is not legal.
    """
    results = []
    reported: set[str] = set()
    with (
        Examination.of(store, auditor=auditor, revoker=revoker) as examination,
        _cleaned(examination),
    ):
        for check, (title, act) in CHECKS.items():
            result = _result(check, title, act(examination), reported)
            results.append(result)
            on_result(result)
            if check == "row" and result.findings:
                break
    return results


@contextmanager
def _cleaned(examination: Examination) -> Iterator[None]:
    """An examination that breaks off leaves no test object either."""
    try:
        yield
    except BaseException:
        list(attempts.cleaning(examination))
        raise


def _result(check: str, title: str, acting: Iterator[Finding], reported: set[str]) -> Result:
    """What was found before an obstacle stays. `reported` are those that concern all checks."""
    findings: list[Finding] = []
    try:
        findings.extend(acting)
    except Obstacle as err:
        obstacle: Obstacle | None = err
    except UNREADABLE as err:
        obstacle = Unclear(action="reading it", answer=f"{type(err).__name__}: {err}")
    else:
        obstacle = None
    if obstacle:
        own = obstacle.finding(check)
        if own and str(obstacle) not in reported:
            findings.append(own)
        if obstacle.concerns_all:
            reported.add(str(obstacle))
    verdict = _verdict(findings, obstacle)
    note = str(obstacle) if obstacle and not findings else ""
    return Result(check=check, title=title, verdict=verdict, findings=tuple(findings), note=note)


def _verdict(findings: Sequence[Finding], obstacle: Obstacle | None) -> Verdict:
    if findings:
        return Verdict.ERROR if count(findings, Severity.ERROR) else Verdict.WARNING
    if obstacle is None:
        return Verdict.OK
    is_unknown = isinstance(obstacle, NotSupported)
    return Verdict.NOT_SUPPORTED if is_unknown else Verdict.NOT_LOOKED_AT
