"""The page of a build: whose it is, what happened to it in order, and what lies in the store."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import ClassVar

from django.contrib import admin
from django.db.models import Model
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from builds.models import Build
from credentials.models import IssuedSession, JobToken
from ltdkeeper.admin.links import NEWEST, NOTHING, link, list_address, moment, table
from ltdkeeper.admin.pages import Page
from ltdkeeper.admin.tokens import ci_job, linked_token

Event = tuple[datetime, object]


def events(build: Build, now: datetime) -> list[Event]:
    """What happened to a build itself, and when it closes."""
    closes = "would have closed" if build.closed_at(now) else "closes"
    found = (
        (build.registered_at, "registered"),
        (build.open_until, f"{closes} by itself"),
        (build.superseded_at, "superseded: the same job registered another"),
        (build.finished_at, "finished"),
        (build.newest_object_at, "its newest object was written"),
        (build.counted_at, "all objects were counted"),
        (build.deleted_at, "deleted"),
        (build.purged_at, "its objects were removed from the store"),
    )
    return [(when, what) for when, what in found if when]


class BuildPage(Page):
    """Reads only: builds are marked as deleted by the list's action."""

    page_select_related = (
        "product__store",
        "registration__client",
        "registration__job_token__publisher__issuer",
        "registration__job_token__ci_job",
    )
    seen_with: ClassVar[Mapping[str, type[Model]]] = {"job": JobToken, "life": IssuedSession}
    otherwise: ClassVar[Mapping[str, str]] = {"life": "own_life"}
    questions = (
        ("How it is", ("state_now", "registered_at", "open_until", "warnings")),
        ("Who registered it", ("client", "token", "job", "publisher", "said")),
        ("What happened, in order", ("life",)),
        ("What lies in the store", ("counted", "store_link", "root", "imported")),
        ("What it is of", ("product_link", "surrogate_key")),
    )

    @admin.display(description="state")
    def state_now(self, build: Build) -> str:
        return build.state(timezone.now()).label.lower()

    @admin.display(description="warnings")
    def warnings(self, build: Build) -> str:
        return build.warning or "none"

    @admin.display(description="client")
    def client(self, build: Build) -> str:
        owner = getattr(build, "registration", None)
        return link(owner.client) if owner else "none: taken over from an LTD Keeper"

    @admin.display(description="token")
    def token(self, build: Build) -> str:
        owner = getattr(build, "registration", None)
        return linked_token(owner.token_name) if owner else NOTHING

    @admin.display(description="CI job")
    def job(self, build: Build) -> str:
        owner = getattr(build, "registration", None)
        return ci_job(owner.job_token) if owner else NOTHING

    @admin.display(description="trusted publisher")
    def publisher(self, build: Build) -> str:
        owner = getattr(build, "registration", None)
        return link(owner.job_token.publisher if owner and owner.job_token else None)

    @admin.display(description="what its uploader said")
    def said(self, build: Build) -> str:
        refs = build.git_refs if isinstance(build.git_refs, list) else [build.git_refs]
        words = [f"git {' and '.join(map(str, refs))}"] if refs else []
        words += [f"requested by {build.github_requester}"] if build.github_requester else []
        return ", ".join(words) or NOTHING

    @admin.display(description="time line")
    def life(self, build: Build) -> SafeString:
        """With the newest sessions; all of them are in the ledger."""
        now = timezone.now()
        sessions = list(IssuedSession.objects.for_build(build)[:NEWEST])
        found = sorted([*events(build, now), *_issued(sessions, now)], key=lambda event: event[0])
        shown = _time_line(found)
        address = list_address(IssuedSession, build=build.pk)
        words = "All its sessions in the ledger"
        return format_html('{}<p><a href="{}">{}</a></p>', shown, address, words)

    @admin.display(description="time line")
    def own_life(self, build: Build) -> str:
        """For whoever may not view sessions."""
        return _time_line(sorted(events(build, timezone.now()), key=lambda event: event[0]))

    @admin.display(description="objects")
    def counted(self, build: Build) -> str:
        if build.object_count is None:
            why = f": {build.survey_failure}" if build.survey_failure else ""
            return f"not counted yet{why}"
        size = filesizeformat(build.byte_count or 0)
        whole = "all of them counted" if build.counted_at else "one page was looked at"
        return f"{build.object_count} ({size}), {whole}"

    @admin.display(description="store")
    def store_link(self, build: Build) -> SafeString:
        return format_html("{}, bucket {}", link(build.product.store), build.bucket_name)

    @admin.display(description="root shared")
    def imported(self, build: Build) -> str:
        if build.root_is_shared:
            return "with another build of an LTD Keeper: its objects are not purged with this one's"
        return "with no other build"

    @admin.display(description="product")
    def product_link(self, build: Build) -> str:
        return link(build.product)


def _time_line(found: list[Event]) -> str:
    return table(("When", "What"), ((moment(when), what) for when, what in found))


def _issued(sessions: list[IssuedSession], now: datetime) -> Iterator[Event]:
    for session in sessions:
        name = link(session, session.access_key_id or session.session_name)
        words = (session.get_delivery_display(), session.state(now).label.lower(), name)
        yield session.requested_at, format_html("session ({}), {}: {}", *words)
