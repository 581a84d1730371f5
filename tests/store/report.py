"""A run as one column of a table: where the store did otherwise than AWS, subject by subject."""

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.store.differences import Met

VARIABLE = "LTD_TEST_STORE_REPORT"
HEADING = "What is tried"
# A test belongs to the first whose pattern is found in its name.
SUBJECTS = {
    "Any call outside the build's root": "test_outside|test_pairs|climbing",
    "Listing beyond the root": "listing_beyond|test_slugs",
    "Calls inside the root that no upload needs": "not_for_uploading",
    "Uploads: names, parts, listing, sync": "test_inside|test_uploads|test_sync|harmless",
    "Public ACLs and grants, plain upload": r"header_that_gives_more.*\[put-(ACL|grant)",
    "Public ACLs and grants, in parts and copied": "header_that_gives_more.*(ACL|grant) ",
    "Redirects, tags and locks in headers": "header_that_gives_more",
    "Calls about a whole bucket": "test_bucket_calls",
    "IAM and STS with a session": "test_account_calls",
    "Session policies that are wrong or unknown": "test_failing_closed",
    "Expiry": "test_expiry",
    "Revocation": "test_revoking",
    "Presigned POSTs": "test_presigned_posts",
    "Presigned PUTs": "test_presigned",
    "Rights of role, vendor, auditor and revoker": "identities|test_bucket_audit",
    "Set-up and its checks": "test_bootstrap|test_doctor",
    "``check_isolation``": "test_isolation",
    "S3 Select": "test_select",
    "The service on this store": "",
}
# How a case begins that is tried in several ways.
WAY = re.compile(r"^(put|upload_in_parts|copy) with ")


def write_column(path: Path, store: str, *, ended: Mapping[str, bool], met: Iterable[Met]) -> None:
    """Write what a run came to; `ended` says of each test whether it passed.

    Columns of other stores stay, and so does what was not run this time.
    """
    rows = _read(path)
    of = {test: next(name for name, p in SUBJECTS.items() if re.search(p, test)) for test in ended}
    for subject in SUBJECTS:
        tests = {test for test, its in of.items() if its == subject}
        if tests:
            wrong = sum(not ended[test] for test in tests)
            rows[subject][store] = _cell(len(tests), wrong, [m for m in met if m.test in tests])
    stores = list(dict.fromkeys(name for row in rows.values() for name in row))
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([HEADING, *stores])
        writer.writerows(
            [name, *(row.get(each, "not run") for each in stores)] for name, row in rows.items()
        )


def _read(path: Path) -> dict[str, dict[str, str]]:
    rows: dict[str, dict[str, str]] = {subject: {} for subject in SUBJECTS}
    if path.exists():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                rows[row.pop(HEADING)] |= row
    return rows


def _cell(tests: int, wrong: int, met: list[Met]) -> str:
    """As AWS, unless tests failed, the store accepts what AWS refuses, or answers otherwise."""
    accepted = sorted({WAY.sub("", each.case) for each in met if each.opens})
    parts = [
        f"**fails**: {wrong} of {tests} tests" if wrong else "",
        f"**accepts** {'; '.join(accepted)}" if accepted else "",
        "other answers" if len(accepted) < len({WAY.sub("", each.case) for each in met}) else "",
    ]
    return ". ".join(filter(None, parts)) or "as AWS"
