"""The policy of revoked sessions, held against what a store makes of it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from credentials.rules import revocation
from credentials.rules.account_documents import upload_policy
from credentials.rules.policy import document_text
from credentials.rules.revocation import (
    MOST_CHARACTERS,
    RevocationDocument,
    RevokedSession,
    _denial,
    capacity,
    revocation_document,
)
from tests.credentials.denials import is_refused

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
OWN = upload_policy(
    role_arn="arn:aws:iam::123456789012:role/ltdkeeper-upload",
    bucket="docs-bucket",
    kms_key_arn="arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
)


def session(number: int, slug: str = "guide", **changes: Any) -> RevokedSession:
    fields = {"ledger_id": f"{number:026}", "product_slug": slug, "issued_by": NOW - HOUR}
    return RevokedSession(**(fields | changes))


def document(*sessions: RevokedSession, **more: Any) -> RevocationDocument:
    return revocation_document(sessions=sessions, **({"bystanders": {}, "now": NOW} | more))


def name_of(ledger_id: str, slug: str) -> str:
    return f"{ledger_id}-{slug}"[:64]


# So long that names of sessions do not hold it whole.
UNGROUPED = "g" * 38
MINUTE = timedelta(minutes=1)
SLUGS = ["guide", "a-guide", "guide-2", "g" * 36, "g" * 37, "g" * 38]
SECOND = timedelta(seconds=1)
MOMENTS = st.integers(0, 7200).map(lambda seconds: NOW - SECOND * seconds / 2)
ROWS = st.tuples(st.sampled_from(SLUGS), MOMENTS, st.booleans(), st.sampled_from([None, 1, 2]))
SESSIONS = st.lists(ROWS, max_size=40)
SKEW = st.integers(-55, 55).map(lambda seconds: SECOND * seconds)


@st.composite
def ledgers(draw: st.DrawFn) -> list[tuple[str, datetime, bool, int | None]]:
    """Revoked sessions of some products, as many as are worth an entry together, and the first
    one that lives on, which comes soon after them or between them.
    """
    ledger: list[tuple[str, datetime, bool, int | None]] = []
    for slug in draw(st.lists(st.sampled_from(SLUGS[:4]), min_size=1, max_size=3, unique=True)):
        begin = draw(MOMENTS)
        gaps = draw(st.lists(st.integers(0, 20), min_size=6, max_size=14))
        moments = [begin + SECOND * sum(gaps[:count]) / 2 for count in range(len(gaps))]
        ledger += [(slug, min(each, NOW), True, None) for each in moments]
        if draw(st.booleans()):
            first = moments[-1] + SECOND * draw(st.integers(-60, 400)) / 2
            ledger.append((slug, min(first, NOW), False, None))
    return ledger


@given(ledgers() | SESSIONS, SKEW)
def test_exactly_the_revoked_sessions_are_refused(
    ledger: list[tuple[str, datetime, bool, int | None]], skew: timedelta
) -> None:
    """Whatever the store's clock is off by, and whoever comes after the write."""
    rows = [(f"{number:026}", *row) for number, row in enumerate(ledger)]
    revoked = [
        RevokedSession(ledger_id=pk, product_slug=slug, issued_by=at, unproven=unproven)
        for pk, slug, at, is_revoked, unproven in rows
        if is_revoked
    ]
    living = [(slug, at) for _, slug, at, is_revoked, _ in rows if not is_revoked]
    first = {slug: min(at for each, at in living if each == slug) for slug, _ in living}
    made = document(*revoked, bystanders=first)
    for pk, slug, at, is_revoked, _ in rows:
        assert is_refused(made.text, name_of(pk, slug), at + skew) == is_revoked
    for slug in SLUGS:
        assert not is_refused(made.text, name_of("z" * 26, slug), NOW + skew)
    assert made.entries <= max(len(revoked), 1)


def test_the_document_is_what_iam_reads() -> None:
    together = [session(number, issued_by=NOW - timedelta(minutes=10)) for number in range(10)]
    made = document(*together, session(10, UNGROUPED), cut_off=NOW - 2 * HOUR)
    condition = {"StringLike": {"aws:userid": ["*:??????????????????????????-guide"]}}
    conditions = (
        condition | {"DateLessThan": {"aws:TokenIssueTime": "2026-11-26T11:51:01Z"}},
        {"DateLessThan": {"aws:TokenIssueTime": "2026-11-26T10:00:00Z"}},
        {"StringLike": {"aws:userid": ["*:00000000000000000000000010-*"]}},
    )
    denial = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    statements = [denial | {"Condition": each} for each in conditions]
    assert json.loads(made.text) == {"Version": "2012-10-17", "Statement": statements}
    assert " " not in made.text


def test_time_of_an_entry_comes_a_minute_before_whoever_lives_on() -> None:
    """A minute for the store's clock on either side, and a second for its counting in seconds."""
    for seconds, entries in [(121, 1), (120, 10), (0, 10)]:
        rows = [session(number) for number in range(10)]
        first = NOW - HOUR + SECOND * seconds
        assert document(*rows, bystanders={"guide": first}).entries == entries, seconds


def test_whoever_lives_on_bounds_the_time_of_no_other_product() -> None:
    guides, others = ([session(n, slug) for n in range(10)] for slug in ("guide", "other"))
    made = document(*guides, *others, bystanders={"guide": NOW - HOUR + 121 * SECOND})
    assert (made.entries, len(json.loads(made.text)["Statement"])) == (2, 1)


def test_a_session_costs_the_same_however_many_products_there_are() -> None:
    """Each product has a time of its own."""
    costs = []
    for count in (20, 200):
        rows = [session(n, f"product{n % count}") for n in range(10 * count)]
        first = {f"product{n}": NOW - n * SECOND for n in range(count)}
        with patch.object(revocation, "_surely_issued", wraps=revocation._surely_issued) as asked:
            document(*rows, bystanders=first)
        costs.append(asked.call_count / len(rows))
    assert costs[1] <= costs[0]


def test_product_joins_a_statement_where_that_is_shorter() -> None:
    """Two sessions are as long as the entry of a product with 34 characters."""
    for length, entries in [(34, 4), (33, 3)]:
        rows = [*(session(n) for n in range(10)), *(session(n, "g" * length) for n in (10, 11))]
        assert document(*rows, session(12, UNGROUPED)).entries == entries, length


def test_statement_is_made_where_it_is_shorter() -> None:
    """Six sessions are as long as the statement of a product with 15 characters."""
    for length, entries in [(15, 7), (14, 2)]:
        rows = [session(n, "g" * length) for n in range(6)]
        assert document(*rows, session(6, UNGROUPED)).entries == entries, length


def test_statement_that_spares_the_one_of_single_sessions_is_shorter_sooner() -> None:
    assert [document(*(session(n) for n in range(count))).entries for count in (2, 3)] == [2, 1]


# Products with some sessions of the same age each, and how long after the last the first comes
# that lives on: in steps that leave room for clocks.
STEP = timedelta(minutes=5)
SMALL = st.lists(
    st.tuples(
        st.lists(st.tuples(st.integers(1, 7), st.integers(1, 6)), min_size=1, max_size=2),
        st.integers(1, 7),
    ),
    max_size=3,
)


@given(SMALL, st.booleans())
def test_no_document_of_the_same_kinds_of_entries_is_shorter(small: Any, is_one_left: bool) -> None:  # noqa: FBT001
    rows, first = [], {}
    for (batches, lives_on), slug in zip(small, SLUGS[:3], strict=False):
        for steps, count in batches:
            at = NOW - HOUR + steps * STEP
            rows += [session(len(rows) + n, slug, issued_by=at) for n in range(count)]
        first[slug] = NOW - HOUR + lives_on * STEP
    if is_one_left:
        rows.append(session(len(rows), UNGROUPED))
    made = document(*rows, bystanders=first)
    assert len(made.text) == min(map(len, all_documents(rows, first)))


def all_documents(rows: list[RevokedSession], first: dict[str, datetime]) -> Iterator[str]:
    """Every document that stops no bystander: each product with every time, or none."""
    times = [NOW - HOUR + steps * STEP - 2 * MINUTE for steps in range(1, 14)]
    choices = [[None, *(time for time in times if time < first[slug] - MINUTE)] for slug in first]
    for chosen in product(*choices):
        groups: dict[datetime, list[str]] = {}
        for slug, time in zip(first, chosen, strict=True):
            if time is not None:
                groups.setdefault(time, []).append(f"*:{'?' * 26}-{slug}")
        time_of = dict(zip(first, chosen, strict=True))
        left = [
            row.pattern
            for row in rows
            if not (time := time_of.get(row.product_slug)) or row.issued_by + MINUTE >= time
        ]
        statements = [_denial(users=users, before=time) for time, users in groups.items()]
        if left or not statements:
            statements.append(_denial(users=left or ["nobody"]))
        yield document_text(statements)


@given(SESSIONS)
def test_putting_together_never_makes_it_longer(ledger: list[Any]) -> None:
    rows = [session(n, slug, issued_by=at) for n, (slug, at, *_) in enumerate(ledger)]
    singly = document(*rows, bystanders=dict.fromkeys(SLUGS, NOW - 10 * HOUR))
    assert len(document(*rows).text) <= len(singly.text)


def test_nobody_is_revoked() -> None:
    """The policy stays, and has an entry that is no session's."""
    made = document()
    assert made.entries == 0
    assert json.loads(made.text)["Statement"][0]["Condition"] == {
        "StringLike": {"aws:userid": ["nobody"]}
    }


def test_sessions_of_a_product_are_put_together() -> None:
    many = document(*(session(number) for number in range(2000)))
    assert (many.entries, many.fits(len(OWN))) == (1, True)


def test_products_with_a_time_in_common_share_a_statement() -> None:
    rows = [session(n, f"product{n % 20}") for n in range(200)]
    made = document(*rows)
    assert (made.entries, len(json.loads(made.text)["Statement"])) == (20, 1)


def test_products_without_a_time_in_common_do_not() -> None:
    old = [session(n, "old", issued_by=NOW - 3 * HOUR) for n in range(10)]
    new = [session(n, "new", issued_by=NOW - HOUR) for n in range(10, 20)]
    made = document(*old, *new, bystanders={"old": NOW - 2 * HOUR})
    assert (made.entries, len(json.loads(made.text)["Statement"])) == (2, 2)


def test_product_without_sessions_before_a_statement_s_time_is_not_in_it() -> None:
    old = [session(n, "old", issued_by=NOW - 3 * HOUR) for n in range(10)]
    made = document(*old, session(10, "new"), bystanders={"old": NOW - 2 * HOUR})
    users = [each["Condition"]["StringLike"] for each in json.loads(made.text)["Statement"]]
    assert [len(each["aws:userid"]) for each in users] == [1, 1]
    assert made.named == {f"{10:026}"}


def test_slug_that_may_be_cut_off_in_names_is_not_put_together() -> None:
    """A name has room for 37: a longer slug that begins alike ends there as well."""
    for length, entries in [(36, 1), (37, 50)]:
        made = document(*(session(number, "g" * length) for number in range(50)))
        assert made.entries == entries, length


def test_product_whose_slug_ends_alike_is_left() -> None:
    made = document(*(session(number) for number in range(50)))
    assert not is_refused(made.text, name_of("z" * 26, "a-guide"), NOW - 2 * HOUR)


def test_each_unproven_decision_keeps_a_session_by_name() -> None:
    rows = [session(number, unproven=1 + number % 2) for number in range(50)]
    assert document(*rows).named == {rows[-1].ledger_id, rows[-2].ledger_id}


def test_cut_off_refuses_what_nobody_knows() -> None:
    cut_off = NOW - timedelta(minutes=30)
    made = document(session(1), cut_off=cut_off)
    assert made.entries == 1
    assert is_refused(made.text, "unknown", cut_off - timedelta(seconds=1))
    assert not is_refused(made.text, "unknown", cut_off)


def test_session_near_the_cut_off_is_named_as_well() -> None:
    for seconds, is_named in [(30, True), (60, True), (61, False)]:
        near = session(1, issued_by=NOW - SECOND * seconds)
        assert bool(document(near, cut_off=NOW).named) is is_named, seconds


def test_capacity_is_what_fits() -> None:
    for other in range(8000, 8033):
        rows = [session(number, "x" * 63) for number in range(capacity(other) + 1)]
        fits = (document(*rows[:-1]).fits(other), document(*rows).fits(other))
        assert fits == (True, False), other


def test_document_fits_to_the_last_character() -> None:
    room = MOST_CHARACTERS - len(document(session(1)).text)
    assert (document(session(1)).fits(room), document(session(1)).fits(room + 1)) == (True, False)


def test_as_many_single_sessions_fit_as_the_capacity_says() -> None:
    """Beside a managed policy, and beside the upload role's own one."""
    for other, most in [(0, 306), (1882, 249), (len(OWN), 251)]:
        rows = [session(number, "x" * 63) for number in range(most + 1)]
        assert capacity(other) == most, other
        assert document(*rows[:most]).fits(other), other
        assert not document(*rows).fits(other), other


def test_room_is_what_aws_gives_inline_policies_of_a_role() -> None:
    assert MOST_CHARACTERS == 10_240
