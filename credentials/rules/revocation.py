"""From revoked sessions to the document that makes a store refuse them. Pure.

Temporary credentials cannot be deleted, but a store evaluates the policies of their role at every
request. So a Deny in an inline policy of the upload role ends a session at its next call (AWS IAM
user guide, "Revoke IAM role temporary security credentials"). Three kinds of entries do it:

- one session: every session's name begins with its ledger id, and `aws:userid` is
  `ROLE-ID:SESSION-NAME`;
- all sessions of a product that were issued before a time, in one entry: the name ends with the
  product's slug, where it has room for it;
- all sessions of the store that were issued before a time: only where somebody decided just that.

All inline policies of a role together have room for 10,240 characters, white space not counted
(AWS IAM quotas). So sessions of a product are put together where that is shorter, and where it
stops nobody else: the time must lie before every session of the product that is not revoked.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any

from builds.names import ULID_LENGTH
from credentials.rules.policy import Statement, document_text

POLICY_NAME = "ltdkeeper-revocations"
# Inline policies of one role (AWS IAM quotas).
MOST_CHARACTERS = 10_240
# Names of sessions have 64 characters. A slug of exactly as many as there is room for would also
# be the end of a longer slug's name, which is cut off.
LONGEST_NAMED_SLUG = 64 - ULID_LENGTH - len("-") - 1
# A store counts by its own clock, in whole seconds.
CLOCK_TOLERANCE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
# An absent policy must not be deleted, so there is always an entry. No session's user id is this.
NOBODY = "nobody"
# Worth more than any number of characters: a document that names no session needs no statement
# for these, so it may be shorter than what saves most beside such a statement.
COVER_ALL = 1_000_000
# Of a statement about a product, with its comma and without its entries.
STATEMENT_LENGTH = len(
    ',{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringLike":{"aws:userid":[]},'
    '"DateLessThan":{"aws:TokenIssueTime":"2026-01-01T00:00:00Z"}}}'
)


@dataclass(frozen=True, kw_only=True)
class RevokedSession:
    """A session to be refused. By `issued_by` the store had issued it.

    `unproven` names the decision that it belongs to, until the store was seen to obey that.
    """

    ledger_id: str
    product_slug: str
    issued_by: datetime
    unproven: int | None = None

    @property
    def pattern(self) -> str:
        return f"*:{self.ledger_id}-*"


@dataclass(frozen=True, kw_only=True)
class RevocationDocument:
    """The text of the policy, the number of its entries, and which sessions it names one by one."""

    text: str
    entries: int
    named: frozenset[str]

    def fits(self, other_characters: int) -> bool:
        """Whether the role has room for it beside its other inline policies."""
        return len(self.text) + other_characters <= MOST_CHARACTERS


def capacity(other_characters: int) -> int:
    """How many single sessions fit beside the role's other inline policies."""
    one = _entry_length("*:-*") + ULID_LENGTH
    empty = len(document_text([_denial()]))
    # The last entry of a list has no comma after it.
    return (MOST_CHARACTERS - other_characters - empty + len(",")) // one


@dataclass(frozen=True, kw_only=True)
class _Product:
    """Sessions of a product that one entry may stand for, with any time up to the latest."""

    slug: str
    sessions: Sequence[RevokedSession]
    latest: datetime

    @property
    def pattern(self) -> str:
        return f"*:{'?' * ULID_LENGTH}-{self.slug}"

    def issued_before(self, time: datetime) -> list[RevokedSession]:
        """Those that an entry with this time stands for."""
        return [each for each in self.sessions if _surely_issued(each) <= time]

    def saving(self, time: datetime, bonus: int) -> int:
        """Characters that the entry saves, its statement aside, with a bonus for each session."""
        its = self.issued_before(time)
        singly = sum(_entry_length(session.pattern) + bonus for session in its)
        return singly - _entry_length(self.pattern)


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Products that share a statement, and the sessions that it refuses."""

    products: Sequence[_Product]
    sessions: Sequence[RevokedSession]


def revocation_document(
    *,
    sessions: Sequence[RevokedSession],
    bystanders: Mapping[str, datetime],
    cut_off: datetime | None = None,
    now: datetime,
) -> RevocationDocument:
    """The whole policy: refuses these sessions, all that were issued before the cut-off, no others.

    `bystanders` says when the first session of a product that lives on was asked for; sessions that
    are yet to be issued come after `now`. Each decision that is not proven yet keeps one session of
    its own by name, so that another of the same name can show that the document is in force.
    """
    kept = set({each.unproven: each for each in sessions if each.unproven is not None}.values())
    rest = [each for each in sessions if each not in kept]
    if cut_off:
        rest = [each for each in rest if _surely_issued(each) > _whole_second(cut_off)]
    products = list(_products(rest, bystanders, now))
    documents = (
        _document_of(_groups(products, bonus), rest, kept, cut_off) for bonus in (0, COVER_ALL)
    )
    return min(documents, key=lambda document: len(document.text))


def _document_of(
    groups: Sequence[_Group],
    rest: Iterable[RevokedSession],
    kept: Set[RevokedSession],
    cut_off: datetime | None,
) -> RevocationDocument:
    together = {each for group in groups for each in group.sessions}
    named = kept | {each for each in rest if each not in together}
    statements = [
        _denial(
            users=[each.pattern for each in group.products],
            before=max(map(_surely_issued, group.sessions)),
        )
        for group in groups
    ]
    if cut_off:
        statements.append(_denial(before=_whole_second(cut_off)))
    if named or not statements:
        statements.append(_denial(users=sorted(each.pattern for each in named) or [NOBODY]))
    return RevocationDocument(
        text=document_text(statements),
        entries=len(named) + sum(len(group.products) for group in groups) + bool(cut_off),
        named=frozenset(each.ledger_id for each in named),
    )


def _products(
    sessions: Iterable[RevokedSession], bystanders: Mapping[str, datetime], now: datetime
) -> Iterator[_Product]:
    """The products of which some sessions are told from all others by a time."""
    by_slug: defaultdict[str, list[RevokedSession]] = defaultdict(list)
    for each in sessions:
        if len(each.product_slug) <= LONGEST_NAMED_SLUG:
            by_slug[each.product_slug].append(each)
    for slug, of_product in sorted(by_slug.items()):
        latest = _whole_second(min(bystanders.get(slug, now), now) - CLOCK_TOLERANCE)
        yield _Product(slug=slug, sessions=of_product, latest=latest)


def _groups(products: Iterable[_Product], bonus: int) -> list[_Group]:
    """The statements that together save most.

    A statement's time may as well be the latest of one of its products. It serves the products
    whose latest comes before the next statement's time: for those that follow, the next is better.
    """
    ordered = sorted(products, key=lambda each: each.latest)
    end = len(ordered)
    newest_last = sorted(
        (_surely_issued(session), place, _entry_length(session.pattern) + bonus)
        for place, each in enumerate(ordered)
        for session in each.sessions
    )
    # What each product's entry saves at a time that goes back from one latest to the one before.
    savings = [-_entry_length(each.pattern) for each in ordered]
    for _, place, length in newest_last:
        savings[place] += length
    # What the statements from a product's time on save, and whose time is the next one's.
    best = [(0, end)] * (end + 1)
    for first in reversed(range(end)):
        while newest_last and newest_last[-1][0] > ordered[first].latest:
            _, place, length = newest_last.pop()
            savings[place] -= length
        sums = accumulate(max(each, 0) for each in savings[first:])
        following = zip(sums, range(first + 1, end + 1), strict=True)
        saving, then = max((saving + best[then][0], then) for saving, then in following)
        best[first] = (saving + 1 - STATEMENT_LENGTH, then)
    groups, first = [], max(reversed(range(end + 1)), key=lambda place: best[place][0])
    while first < end:
        time, then = ordered[first].latest, best[first][1]
        worth = [each for each in ordered[first:then] if each.saving(time, bonus) > 0]
        sessions = [session for each in worth for session in each.issued_before(time)]
        groups.append(_Group(products=worth, sessions=sessions))
        first = then
    return groups


def _surely_issued(session: RevokedSession) -> datetime:
    """A whole second that comes after the session's issue by the store's clock as well."""
    return _whole_second(session.issued_by + CLOCK_TOLERANCE) + SECOND


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _denial(*, users: Sequence[str] = (), before: datetime | None = None) -> Statement:
    condition: dict[str, dict[str, Any]] = {}
    if users or before is None:
        condition["StringLike"] = {"aws:userid": list(users)}
    if before:
        condition["DateLessThan"] = {"aws:TokenIssueTime": before.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition}


def _entry_length(pattern: str) -> int:
    """With its quotes and a comma."""
    return len(pattern) + len('"",')
