"""Refused calls in the admin: who probes, and whose job is misconfigured. Totals, not calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F, Max, Sum
from django.db.models.functions import TruncDay
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from builds.models import Product
from credentials.access.refusals import KEPT, OTHER
from credentials.models import Client, Refusal
from credentials.models.refusals import RefusalQuerySet
from credentials.rules.networks import UNREADABLE
from ltdkeeper.admin.records import RecordAdmin

TEMPLATE = "admin/credentials/refusal/totals.html"
MOST_LINES = 50
LONGEST_VALUE = 100

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
    """How many calls have something in common. `address`: the page with only those."""

    text: str
    calls: int
    last_at: datetime
    address: str = ""


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


def page_of(parts: Mapping[str, str]) -> str:
    """The address of the totals of some part."""
    return f"{reverse('admin:credentials_refusal_changelist')}?{urlencode(parts)}"


def tables(rows: RefusalQuerySet, chosen: Mapping[str, str]) -> list[Table]:
    """Totals of rows by hour, and by each part that they are not limited to: one query each."""
    return [
        Table(heading="Hour (UTC)", lines=_by_time(rows, F("hour"), "%Y-%m-%d %H:00")),
        *(_by_part(rows, word, chosen) for word in PARTS if word not in chosen),
    ]


def by_day(rows: RefusalQuerySet) -> Table:
    """Totals by day, newest first."""
    return Table(heading="Day (UTC)", lines=_by_time(rows, TruncDay("hour"), "%Y-%m-%d"))


def _by_time(rows: RefusalQuerySet, unit: Any, form: str) -> list[Line]:
    totals = rows.order_by().values(at=unit).annotate(total=Sum("calls"), last=Max("last_at"))
    return [
        Line(text=f"{each['at']:{form}}", calls=each["total"], last_at=each["last"])
        for each in totals.order_by("-at")[:MOST_LINES]
    ]


def _by_part(rows: RefusalQuerySet, word: str, chosen: Mapping[str, str]) -> Table:
    column, heading, nothing = PARTS[word]
    totals = rows.order_by().values(column).annotate(total=Sum("calls"), last=Max("last_at"))
    lines = [
        Line(
            text=each[column] or nothing,
            calls=each["total"],
            last_at=each["last"],
            address=page_of({**chosen, word: each[column]}) if each[column] else "",
        )
        for each in totals.order_by("-total", column)[:MOST_LINES]
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
        today = rows.last_day(now)
        context = {
            **self.admin_site.each_context(request),
            "title": "Refused calls",
            "opts": self.opts,
            "chosen": [
                (PARTS[word][1], text, _page_about(word, text)) for word, text in chosen.items()
            ],
            "total": today.aggregate(total=Sum("calls"))["total"] or 0,
            "since": now - timedelta(hours=23),
            "tables": tables(today, chosen),
            "days": by_day(rows.since(now - KEPT)) if chosen.keys() & INDEXED else None,
            **(extra_context or {}),
        }
        return TemplateResponse(request, TEMPLATE, context)


# Of these a month can be totalled fast.
INDEXED = {"address", "client"}


def _page_about(word: str, text: str) -> str:
    """The page of a client or product that is called so; empty where there is none."""
    if word == "client" and (client := Client.objects.filter(name=text).first()):
        return reverse("admin:credentials_client_change", args=[client.pk])
    if word == "product" and (product := Product.objects.filter(slug=text).first()):
        return reverse("admin:builds_product_change", args=[product.pk])
    return ""


# What other pages say about refused calls.

MANY_CALLS = 8
MOST_ADDRESSES = 5


def busy_addresses(now: datetime) -> list[tuple[str, str]]:
    """A sentence with its page for each address that was refused often in this hour or the last."""
    since = (now - timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    recent = Refusal.objects.since(since).order_by()
    totals = recent.values("network").annotate(total=Sum("calls")).filter(total__gte=MANY_CALLS)
    found = totals.order_by("-total")[:MOST_ADDRESSES].values_list("network", "total")
    return [
        (
            f"{calls} refused calls from {_called(network)} since {since:%H:%M} UTC",
            page_of({"address": network}),
        )
        for network, calls in found
    ]


def _called(network: str) -> str:
    return {OTHER: "many other addresses", UNREADABLE: "unreadable addresses"}.get(network, network)


def refused_calls_of(client: Client, now: datetime) -> Table:
    """For a client's page: why its calls were refused in the last 24 hours."""
    return _by_part(client.refusals.last_day(now), "reason", {"client": client.name})
