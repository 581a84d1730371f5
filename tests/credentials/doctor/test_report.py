"""How an examination is told, to people and to machines."""

import json
import shlex

from credentials.doctor.commands import aws
from credentials.doctor.findings import Finding, Result, Severity, Verdict
from credentials.doctor.report import WIDTH, document, result_lines, summary_line
from tests.credentials.doctor.aws_account import expected

COMMAND = aws(
    expected(),
    "iam put-role-policy",
    role_name="upload",
    policy_name="upload",
    policy_document=expected().upload,
)
FINDING = Finding(id="trust.anyone", what="What. " * 30, why="Because.", change=COMMAND)
OK = Result(check="role", title="The role exists", verdict=Verdict.OK)


def found(*findings: Finding) -> Result:
    return Result(check="trust", title="Trust", verdict=Verdict.ERROR, findings=findings)


def test_good_check_is_one_line() -> None:
    assert list(result_lines(OK)) == ["ok             role                The role exists"]


def test_reason_for_no_verdict_is_below() -> None:
    result = Result(check="acls", title="A", verdict=Verdict.NOT_SUPPORTED, note="no such call")
    lines = list(result_lines(result))
    assert lines[0].startswith("not supported  acls ")
    assert lines[1].strip() == "(no such call)"


def test_finding_says_what_why_and_what_to_change() -> None:
    lines = list(result_lines(found(FINDING)))
    assert lines[0].startswith("ERROR          trust ")
    assert lines[1] == "    error trust.anyone"
    assert "        Why: Because." in lines
    assert "        Change:" in lines


def test_lines_fit_and_the_command_is_still_one() -> None:
    lines = list(result_lines(found(FINDING)))
    assert max(map(len, lines)) <= WIDTH
    pasted = "\n".join(lines[lines.index("        Change:") + 1 :]).replace("\\\n", "")
    assert shlex.split(pasted) == shlex.split(COMMAND)


def test_sentence_before_a_command_stands_on_its_own() -> None:
    change = "First this:\naws iam x"
    finding = Finding(id="a.b", what="What.", why="Because.", change=change)
    lines = list(result_lines(found(finding)))
    assert lines[-2:] == ["        Change: First this:", "            aws iam x"]


def test_change_of_two_findings_is_told_once() -> None:
    lines = list(result_lines(found(FINDING, FINDING)))
    assert lines[-1] == "        Change: The same."


def warning() -> Finding:
    return Finding(id="a.b", what="", why="", change="", severity=Severity.WARNING)


def test_summary_counts() -> None:
    assert summary_line([OK]) == "Nothing to mend."
    assert summary_line([found(FINDING), OK]) == "1 error, 0 warnings."
    assert summary_line([found(FINDING, warning(), warning())]) == "1 error, 2 warnings."


def test_document_is_one_object_with_all_there_is() -> None:
    told = json.loads(document({"main": [OK], "second": [found(FINDING, warning())]}))
    assert (told["errors"], told["warnings"]) == (1, 1)
    assert [each["store"] for each in told["stores"]] == ["main", "second"]
    [check] = told["stores"][1]["checks"]
    assert check["verdict"] == "error"
    assert check["findings"][0] == {
        "id": "trust.anyone",
        "what": FINDING.what,
        "why": "Because.",
        "change": COMMAND,
        "severity": "error",
    }
