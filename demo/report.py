"""What a demonstration found, as a short table."""

from collections.abc import Iterable
from dataclasses import dataclass

from demo.attempts import Answer
from demo.performance import Performance


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The result of one run. It succeeded when `problems` is empty."""

    site: str
    performance: Performance
    problems: list[str]
    seconds: float


def print_report(findings: Findings) -> None:
    print()
    _print_columns(_facts(findings))
    print("\nThe same credentials, where they have no business:")
    _print_columns((answer.title, _outcome(answer)) for answer in findings.performance.answers)
    print()
    if not findings.problems:
        print("Every file arrived as it is on disk, every attempt was refused,")
        print("and no secret handed out stands in the database or the log.")
    for problem in findings.problems:
        print(f"PROBLEM  {problem}")


def _facts(findings: Findings) -> Iterable[tuple[str, str]]:
    own, row = findings.performance.own, findings.performance.ledger
    yield "site", findings.site
    yield "files", f"{len(findings.performance.files):,}"
    yield "bytes", f"{sum(file.size for file in findings.performance.files):,}"
    yield "root", f"s3://{own.build.bucket}/{own.build.root}/"
    yield "time", f"upload {own.upload_seconds:.1f} s, all {findings.seconds:.1f} s"
    if row:
        yield "session", f"{row.session_name}, {row.status} as {row.delivery}"
        yield "", f"key {row.access_key_id}, {row.duration_seconds} s, until {row.expires_at} UTC"


def _outcome(answer: Answer) -> str:
    verdict = "refused" if answer.is_refusal else "NOT REFUSED"
    return f"{verdict}: {answer.status} {answer.code}"


def _print_columns(rows: Iterable[tuple[str, str]]) -> None:
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")
