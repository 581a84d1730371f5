"""The search box of the admin: from what was pasted to the page of the row that it names.

What was pasted may be a secret. It comes by POST, its text is held as a secret and dropped from the
request, and neither the page nor an address repeats it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from credentials.models import AccessToken, AuditFinding, IssuedSession, Refusal
from credentials.operations.lookup import (
    LIMIT,
    Row,
    exports_with,
    findings_about,
    lacks_build,
    look_up,
)
from credentials.operations.records import Record, describe
from credentials.rules.identifiers import Identifier, Kind, recognise
from credentials.rules.secret import Secret
from ltdkeeper.admin.audits import describe_finding
from ltdkeeper.admin.links import list_address, may_view, page_address
from ltdkeeper.admin.revoke import revoke_button

TEMPLATE = "admin/find.html"


@dataclass(frozen=True, kw_only=True)
class Hits:
    """The rows of one kind, each with its page and the button that revokes its sessions.
    `has_more` where there may be others.
    """

    kind: Kind
    pages: list[tuple[str, Record, dict[str, str]]]
    lacks_build: bool
    has_more: bool


@require_http_methods(["GET", "POST"])
@never_cache
@sensitive_post_parameters()
@sensitive_variables()
def find(request: HttpRequest) -> HttpResponse:
    """The page of the only row that is found; else all that are, or what was looked for."""
    if request.method == "GET":
        return _page(request)
    pasted = Secret(request.POST.get("text", ""))
    request.POST = QueryDict()
    identifiers = recognise(pasted.reveal())
    found = {
        identifier: visible
        for identifier, rows in look_up(identifiers).items()
        if (visible := [row for row in rows if may_view(request, type(_shown(row)))])
    }
    hit = {_address_of(row): (each, row) for each, rows in found.items() for row in rows}
    match list(hit.items()):
        case [(address, (identifier, row))] if not lacks_build(identifier, row):
            return HttpResponseRedirect(address)
    hits = [_hits(request, identifier, rows) for identifier, rows in found.items()]
    tried = [identifier.kind for identifier in identifiers]
    sees_exports = not hits and may_view(request, IssuedSession)
    exports = exports_with(identifiers) if sees_exports else []
    sees_findings = may_view(request, AuditFinding)
    findings = _findings(identifiers, chain(*found.values())) if sees_findings else []
    what = {"tried": tried, "hits": hits, "exports": exports, "findings": findings}
    return _page(request, **what, is_answer=True)


def _findings(
    identifiers: Iterable[Identifier], rows: Iterable[Row]
) -> list[tuple[str, Model, str]]:
    now, found = timezone.now(), findings_about(identifiers, rows)
    return [(page_address(each), each, describe_finding(each, now)) for each in found]


def _shown(row: Row) -> Model:
    """The row that has a page: of an access token that is its key."""
    return row.api_key if isinstance(row, AccessToken) else row


def _address_of(row: Row) -> str:
    if isinstance(row, Refusal):
        return list_address(Refusal, address=row.network)
    return page_address(_shown(row))


def _hits(request: HttpRequest, identifier: Identifier, rows: list[Row]) -> Hits:
    return Hits(
        kind=identifier.kind,
        pages=[
            (_address_of(record.row), record, revoke_button(request, _shown(record.row)))
            for record in describe(rows, timezone.now())
        ],
        lacks_build=lacks_build(identifier, rows[0]),
        has_more=len(rows) == LIMIT,
    )


def _page(request: HttpRequest, **context: object) -> TemplateResponse:
    frame = admin.site.each_context(request)
    context |= {**frame, "title": "Find", "kinds": list(Kind), "limit": LIMIT}
    return TemplateResponse(request, TEMPLATE, context)
