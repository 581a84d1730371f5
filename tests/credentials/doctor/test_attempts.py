"""What the vendor was let do, and what it is told to be left with."""

import pytest

from credentials.doctor.attempts import IAM_CHECK, S3_CHECK, Attempt, judge_attempts, only_assuming
from credentials.doctor.findings import Severity
from credentials.rules.verdicts import Outcome
from tests.credentials.doctor.aws_account import ROLE, expected

ACCEPTED, REFUSED, UNCLEAR = Outcome.ACCEPTED, Outcome.REFUSED, Outcome.UNCLEAR
OUTCOMES: dict[str, tuple[list[Outcome], dict[str, Severity]]] = {
    "none": ([], {}),
    "refused": ([REFUSED, REFUSED], {}),
    "one accepted": ([REFUSED, ACCEPTED], {"allowed": Severity.ERROR}),
    "one unclear": ([REFUSED, UNCLEAR], {"unclear": Severity.WARNING}),
    "both": ([UNCLEAR, ACCEPTED], {"allowed": Severity.ERROR, "unclear": Severity.WARNING}),
}


def attempts(*outcomes: Outcome) -> list[Attempt]:
    return [Attempt(call=f"to try {o}", outcome=o, answer="500") for o in outcomes]


@pytest.mark.parametrize("case", OUTCOMES)
def test_only_refusals_are_right(case: str) -> None:
    outcomes, expected_ones = OUTCOMES[case]
    found = judge_attempts(IAM_CHECK, attempts(*outcomes), expected())
    severities = {finding.id: finding.severity for finding in found}
    assert severities == {f"vendor-iam.{name}": each for name, each in expected_ones.items()}


def test_finding_names_what_was_allowed() -> None:
    [finding] = judge_attempts(S3_CHECK, attempts(REFUSED, ACCEPTED), expected())
    assert finding.what == "The vendor was allowed to try accepted."


def test_store_whose_sessions_leave_objects_to_the_vendor_gets_a_denial() -> None:
    elsewhere = expected(endpoint_url="https://s3.example.org")
    changes = [
        next(judge_attempts(check, attempts(ACCEPTED), store)).change
        for check, store in ((S3_CHECK, elsewhere), (IAM_CHECK, elsewhere), (S3_CHECK, expected()))
    ]
    assert ["aws:TokenIssueTime" in change for change in changes] == [True, False, False]


# vendor -> the call that gives it its one policy
VENDORS = {
    "arn:aws:iam::123456789012:user/ci/vendor": "aws iam put-user-policy --user-name vendor ",
    "arn:aws:iam::123456789012:role/web": "aws iam put-role-policy --role-name web ",
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_vendor_is_left_with_the_upload_roles_of_all_stores(vendor: str) -> None:
    roles = (ROLE, f"{ROLE}-2")
    change = only_assuming(expected(vendor_arn=vendor, upload_roles=roles))
    assert VENDORS[vendor] in change
    assert f'"Resource":["{ROLE}","{ROLE}-2"]' in change


def test_vendor_that_is_not_known_is_given_a_policy_to_read() -> None:
    change = only_assuming(expected(vendor_arn=""))
    assert change.split("\n")[1].startswith('{"Version": "2012-10-17"')
