"""Builds in the admin: whose each is, what happened to it in order, and what to do about it."""

from collections.abc import Iterator
from datetime import datetime

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

from builds.models import Build
from builds.services import release_root
from credentials.models import AuditFinding, IssuedSession, JobRun, JobToken
from ltdkeeper.admin.attention import reasons
from ltdkeeper.admin.audits import findings_of
from ltdkeeper.admin.filters import BuildClient, BuildState, ByProduct
from ltdkeeper.admin.forms import ReasonActionForm
from ltdkeeper.admin.links import (
    NEWEST,
    NOTHING,
    anchor,
    lines,
    link,
    linked,
    list_address,
    moment,
    table,
)
from ltdkeeper.admin.pages import Page
from ltdkeeper.admin.records import BigListAdmin
from ltdkeeper.admin.revoke import RevocableAdmin
from ltdkeeper.admin.tokens import ci_job, linked_token

Event = tuple[datetime, object]


def events(build: Build, now: datetime) -> list[Event]:
    """What happened to a build itself, and when it closes."""
    closes = {None: "closes by itself", build.open_until: "expired unfinished: closed by itself"}
    found = (
        (build.registered_at, "registered"),
        (build.open_until, closes.get(build.closed_at(now))),
        (build.superseded_at, "superseded: the same job registered another"),
        (build.finished_at, "finished"),
        (build.newest_object_at, "its newest object was written"),
        (build.counted_at, "all objects were counted"),
        (build.deleted_at, "deleted"),
        (build.purged_at, "its objects were removed from the store"),
    )
    return [(when, what) for when, what in found if when and what]


# What to do with a build that needs attention.
ADVICE = {
    Build.Concern.EXPIRED: "Its job failed, was cancelled or never finished the build, which "
    "accepts no more uploads. Run the job again: it registers another build. "
    "manage.py audit_sessions --close deletes builds that expired more than a day ago.",
    Build.Concern.OPEN: "Uploads take minutes: check whether its job is still running. The build "
    "closes by itself.",
    Build.Concern.UNCOUNTED: "manage.py count_builds counts its objects. The clock or cron should "
    "run it every hour.",
    Build.Concern.FOREIGN: "Find the keys that wrote it in the store's own log, and remove them. "
    "Then mark the build as deleted.",
}


def _time_line(found: list[Event]) -> str:
    in_order = sorted(found, key=lambda event: event[0])
    return table(("When", "What"), ((moment(when), what) for when, what in in_order))


def _issued(sessions: list[IssuedSession], now: datetime) -> Iterator[Event]:
    for session in sessions:
        name = link(session, session.access_key_id or session.session_name)
        whose = (session.client_name, session.token_name, session.caller_address or "no address")
        words = (name, _state_and_end(session, now), session.get_delivery_display(), *whose)
        yield session.requested_at, format_html("session {}, {}: {} for {} with {} from {}", *words)


def _state_and_end(session: IssuedSession, now: datetime) -> str:
    """`active, expires ...`: the time line is in the order in which sessions were requested."""
    state = session.state(now)
    if session.expires_at is None:
        return state.label.lower()
    if state is session.State.EXPIRED:
        return f"expired {moment(session.expires_at)}"
    ends = "expires" if session.expires_at > now else "would have expired"
    return f"{state.label.lower()}, {ends} {moment(session.expires_at)}"


@admin.register(Build)
class BuildAdmin(Page, RevocableAdmin, BigListAdmin):
    """Builds, to look at; the list's action marks them as deleted, as the API does."""

    list_display = (
        *("root", "state_now", "registered_at", "finished_at", "object_count", "byte_count"),
        "warning",
    )
    list_filter = (BuildState, ByProduct, BuildClient)
    list_select_related = ("registration__client",)
    actions = ("mark_deleted", "release_roots")
    action_form = ReasonActionForm
    revoked_as = "build"
    product_link = linked("product")
    page_select_related = (
        "product__store",
        "registration__client",
        "registration__job_token__publisher__issuer",
        "registration__job_token__ci_job",
    )
    seen_with = {
        "job": JobToken,
        "life": IssuedSession,
        "its_findings": AuditFinding,
    }
    otherwise = {"life": "own_life"}
    questions = (
        ("Who registered it", ("client", "token", "job", "publisher", "said")),
        ("State", ("state_since", "warnings")),
        ("What happened, in order", ("life",)),
        ("What audits found", ("its_findings",)),
        ("What is in the store", ("counted", "store_link", "root", "imported")),
        ("What it belongs to", ("product_link", "published", "surrogate_key")),
    )

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """Of those that need attention: why, whose they are, and since when."""
        needs_attention = request.GET.get(BuildState.parameter_name) == BuildState.ATTENTION
        return ("root", "why", "of_client", "age") if needs_attention else self.list_display

    @admin.display(description="needs attention")
    def why(self, build: Build) -> str:
        return reasons(build, timezone.now())

    @admin.display(description="client")
    def of_client(self, build: Build) -> str:
        owner = getattr(build, "registration", None)
        return link(owner.client) if owner else NOTHING

    @admin.display(description="registered")
    def age(self, build: Build) -> str:
        return f"{timesince(build.registered_at)} ago"

    @admin.action(description="Mark selected builds as deleted", permissions=["change"])
    def mark_deleted(self, request: HttpRequest, queryset: QuerySet[Build]) -> HttpResponse | None:
        return self.confirm(request, "end", queryset)

    @admin.action(description="Purge despite a shared root, once deleted", permissions=["change"])
    def release_roots(self, request: HttpRequest, queryset: QuerySet[Build]) -> None:
        if not (reason := self.given_reason(request)):
            return
        builds = [release_root(build_id=build.pk) for build in queryset.filter(root_is_shared=True)]
        for build in builds:
            self.log_change(request, build, f"Root is no longer shared. Reason: {reason}")
        message = f"{len(builds)} no longer shared: purging removes everything below their roots."
        self.message_user(request, message)

    @admin.display(description="state")
    def state_now(self, build: Build) -> str:
        return build.state(timezone.now()).label.lower()

    @admin.display(description="state")
    def state_since(self, build: Build) -> str:
        """Also when it closed, or closes by itself."""
        now = timezone.now()
        closed_at = build.closed_at(now)
        when = f"since {moment(closed_at)}" if closed_at else f"until {moment(build.open_until)}"
        owner = getattr(build, "registration", None)
        is_stopped = not closed_at and owner and not owner.client.is_active
        stopped = ": accepts no uploads, because its client is disabled" if is_stopped else ""
        return f"{build.state(now).label.lower()}, {when}{stopped}"

    @admin.display(description="needs attention")
    def warnings(self, build: Build) -> str:
        concerns = build.concerns(timezone.now())
        found: list[object] = [f"{each.label}: {ADVICE[each]}" for each in concerns]
        if build.Concern.UNCOUNTED in concerns:
            runs = list_address(JobRun, job="count_builds")
            found.append(anchor(runs, "Runs of count_builds"))
        found += [build.warning] if build.warning else []
        return lines(found) if found else "no"

    @admin.display(description="client")
    def client(self, build: Build) -> str:
        owner = getattr(build, "registration", None)
        if not owner:
            return "none: imported from an LTD Keeper"
        words = "only the client or job that registered a build gets credentials for it"
        return format_html("{}: {}", link(owner.client), words)

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
        address = list_address(IssuedSession, build=build.pk)
        every = anchor(address, "All its sessions in the ledger")
        shown = _time_line([*events(build, now), *_issued(sessions, now)])
        return format_html("{}<p>{}</p>", shown, every)

    @admin.display(description="time line")
    def own_life(self, build: Build) -> str:
        """For whoever may not view sessions."""
        return _time_line(events(build, timezone.now()))

    @admin.display(description="findings")
    def its_findings(self, build: Build) -> str:
        return findings_of(build)

    @admin.display(description="objects")
    def counted(self, build: Build) -> str:
        if build.object_count is None:
            why = f": {build.survey_failure}" if build.survey_failure else ""
            return f"not counted yet{why}"
        size = filesizeformat(build.byte_count or 0)
        whole = "all of them counted" if build.counted_at else "only one page was listed"
        return f"{build.object_count} ({size}), {whole}"

    @admin.display(description="store")
    def store_link(self, build: Build) -> SafeString:
        return format_html("{}, bucket {}", link(build.product.store), build.bucket_name)

    @admin.display(description="root shared")
    def imported(self, build: Build) -> str:
        if build.root_is_shared:
            return "with another build of an LTD Keeper: its objects are not purged with this one's"
        return "with no other build"

    @admin.display(description="published at")
    def published(self, build: Build) -> str:
        return anchor(build.published_url, build.published_url) if build.published_url else NOTHING
