"""Refused calls in the admin: who probes, and whose job is misconfigured. Totals, not calls."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, Max, Min, Q, Sum, Window
from django.db.models.functions import TruncDay
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from builds.models import Product
from credentials.access.refusals import KEPT, OTHER
from credentials.models import Client, Refusal
from credentials.models.figures import RefusalQuerySet
from credentials.rules.networks import UNREADABLE
from ltdkeeper.admin.links import list_address, page_address
from ltdkeeper.admin.records import RecordAdmin
from ltdkeeper.admin.tokens import token_pages

TEMPLATE = "admin/credentials/refusal/totals.html"
MOST_LINES = 50
LONGEST_VALUE = 100

ACCEPTED = "token accepted: the caller has its secret"

# What totals are made by: word in the address -> column, heading, where there is none.
PARTS: dict[str, tuple[str, str, str]] = {
    "address": ("network", "Address", ""),
    "client": ("client__name", "Client", "none: no token that exists"),
    "reason": ("reason", "Reason", ""),
    "token": ("token_name", "Token named", "none that exists"),
    "product": ("product_slug", "Product", "none that exists"),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """How many calls have something in common. `address`: the page with only those; `page`: of
    what they name; `note`: more about it.
    """

    text: str
    calls: int
    first_at: datetime | None
    last_at: datetime | None
    address: str = ""
    page: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Lines, most calls first or by time; at most 50."""

    heading: str
    lines: Sequence[Line]

    @property
    def is_cut(self) -> bool:
        return len(self.lines) == MOST_LINES


def chosen_parts(request: HttpRequest) -> dict[str, str]:
    """What the totals are limited to: known words of the query, each once."""
    return {word: request.GET[word][:LONGEST_VALUE] for word in PARTS if request.GET.get(word, "")}


def tables(rows: RefusalQuerySet, chosen: Mapping[str, str]) -> list[Table]:
    """Totals of rows by hour, and by each part that they are not limited to: one query each."""
    return [
        _by_time("Hour (UTC)", rows, F("hour"), "%Y-%m-%d %H:00"),
        *(_by_part(rows, word, chosen) for word in PARTS if word not in chosen),
    ]


TOTALS: dict[str, Any] = {
    "total": Sum("calls"),
    "first": Min("first_at"),
    "last": Max("last_at"),
    "accepted": Sum("calls", filter=Q(token_accepted=True)),
}


def _line(totals: Mapping[str, Any], text: str, **more: str) -> Line:
    calls, first_at, last_at = totals["total"], totals["first"], totals["last"]
    return Line(text=text, calls=calls, first_at=first_at, last_at=last_at, **more)


def _by_time(heading: str, rows: RefusalQuerySet, unit: Any, form: str) -> Table:
    """Newest first."""
    totals: Any = rows.order_by().values(at=unit).annotate(**TOTALS).order_by("-at")
    lines = [_line(each, f"{each['at']:{form}}") for each in totals[:MOST_LINES]]
    return Table(heading=heading, lines=lines)


def _by_part(rows: RefusalQuerySet, word: str, chosen: Mapping[str, str]) -> Table:
    """Each line leads to the page of its client or token, or to the calls that it counts."""
    column, heading, nothing = PARTS[word]
    columns = (column, "client") if word == "client" else (column,)
    totals = rows.order_by().values(*columns).annotate(**TOTALS)
    found = list(totals.order_by("-total", column)[:MOST_LINES])
    pages = token_pages(each[column] for each in found) if word == "token" else {}
    lines = [
        _line(
            each,
            each[column] or nothing,
            address=list_address(Refusal, **chosen, **{word: each[column]}) if each[column] else "",
            page=(
                page_address(Client(pk=each["client"]))
                if each.get("client")
                else pages.get(each[column], "")
            ),
            note=ACCEPTED if word in {"token", "reason"} and each["accepted"] else "",
        )
        for each in found
    ]
    return Table(heading=heading, lines=lines)


@admin.register(Refusal)
class RefusalAdmin(RecordAdmin):
    """The list is totals of the last 24 hours: of all, or of one address, client, reason ..."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        now, chosen = timezone.now(), chosen_parts(request)
        rows = Refusal.objects.filter(**{PARTS[word][0]: text for word, text in chosen.items()})
        shown = tables(rows.last_day(now), chosen)
        about = [(PARTS[word][1], text, _page_about(word, text)) for word, text in chosen.items()]
        month = rows.since(now - KEPT)
        return self.page(
            request,
            TEMPLATE,
            "Refused calls",
            chosen=about,
            total=_sum(shown[0].lines),
            since=now - timedelta(hours=23),
            tables=shown,
            days=(
                _by_time("Day (UTC)", month, TruncDay("hour"), "%Y-%m-%d")
                if chosen.keys() & INDEXED
                else None
            ),
        )


# Of these a month can be totalled fast.
INDEXED = {"address", "client"}


def _sum(lines: Sequence[Line]) -> Line:
    return Line(
        text="all",
        calls=sum(line.calls for line in lines),
        first_at=min((line.first_at for line in lines if line.first_at), default=None),
        last_at=max((line.last_at for line in lines if line.last_at), default=None),
    )


def _page_about(word: str, text: str) -> str:
    """The page of a client, token or product that is called so; empty where there is none."""
    if word == "client" and (client := Client.objects.filter(name=text).first()):
        return page_address(client)
    if word == "product" and (product := Product.objects.filter(slug=text).first()):
        return page_address(product)
    return token_pages([text]).get(text, "") if word == "token" else ""


# What other pages say about refused calls.

MANY_CALLS = 8
MOST_ADDRESSES = 5
MOST_KINDS = 3
MOST_ROWS = 500


@dataclass(frozen=True, kw_only=True)
class BusyAddress:
    """An address that was refused often: a sentence, its kinds of calls, and its page."""

    sentence: str
    kinds: tuple[str, ...]
    address: str


def busy_addresses(now: datetime) -> list[BusyAddress]:
    """Those that were refused often in this hour or the last, by one statement."""
    since = (now - timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    whole = {
        "total": Window(Sum("calls"), partition_by="network"),
        "first": Window(Min("first_at"), partition_by="network"),
        "last": Window(Max("last_at"), partition_by="network"),
    }
    rows: Any = Refusal.objects.since(since).select_related("client").annotate(**whole)
    rows = rows.filter(total__gte=MANY_CALLS).order_by("-total", "network", "-calls")
    found = groupby(rows[:MOST_ROWS], key=attrgetter("network"))
    return [_busy_address(list(its), since) for _, its in islice(found, MOST_ADDRESSES)]


def _busy_address(rows: Sequence[Any], since: datetime) -> BusyAddress:
    """Of the rows of an address, each with what all of them are together."""
    one, kinds = rows[0], Counter[str]()
    for row in rows:
        token = f" with {row.token_name} of {row.client}" if row.token_name else ""
        accepted = f", {ACCEPTED}" if row.token_accepted else ""
        kinds[f"{row.reason}{token}{accepted}"] += row.calls
    ends = f": first {one.first:%H:%M:%S}, last {one.last:%H:%M:%S}" if one.first else ""
    return BusyAddress(
        sentence=f"{one.total} refused calls from {_called(one.network)} between "
        f"{since:%H:%M} UTC and now{ends}",
        kinds=tuple(f"{calls} {kind}" for kind, calls in kinds.most_common(MOST_KINDS)),
        address=list_address(Refusal, address=one.network),
    )


def _called(network: str) -> str:
    return {OTHER: "many other addresses", UNREADABLE: "unreadable addresses"}.get(network, network)


def refused_calls_of(client: Client, now: datetime, token_name: str = "") -> Table:
    """Why calls with a client's tokens, or with one of them, were refused in the last 24 hours."""
    rows = client.refusals.last_day(now)
    if token_name:
        return _by_part(rows.filter(token_name=token_name), "reason", {"token": token_name})
    return _by_part(rows, "reason", {"client": client.name})
