"""Runs, findings and exports of the ledger in the admin. A finding is acknowledged on its page."""

from collections.abc import Mapping
from datetime import UTC, datetime, time
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.timesince import timesince

from builds.models import Build
from credentials.models import AuditFinding, IssuedSession, JobRun, LedgerExport
from credentials.models.audits import SEVERITIES
from credentials.operations.audit.bucket import usage_of
from credentials.operations.findings import Rule
from credentials.operations.kept_findings import (
    acknowledge,
    require_possible_end,
    withdraw_acknowledgement,
)
from credentials.rules.schedule import JOBS
from ltdkeeper.admin.filters import ByBuild, ByStore, ChoiceFilter, LinkFilter, Rows
from ltdkeeper.admin.forms import EditForm, ReasonActionForm
from ltdkeeper.admin.links import (
    NEWEST,
    NOTHING,
    anchor,
    lines,
    link,
    linked,
    list_address,
    moment,
    named,
    newest,
    table,
)
from ltdkeeper.admin.pages import Page
from ltdkeeper.admin.records import BigListAdmin, KeeperAdmin

# What other pages say of runs and findings as well.


def describe_finding(finding: AuditFinding, now: datetime) -> str:
    """The state, with what ends it."""
    state = finding.state(now)
    if state is AuditFinding.State.ACKNOWLEDGED:
        return f"acknowledged until {moment(finding.acknowledged_until)}"
    if state is AuditFinding.State.CLOSED:
        return f"closed {moment(finding.closed_at or finding.acknowledged_until)}"
    return "open"


def found_by(run: JobRun) -> str:
    counts = ((run.errors, "error"), (run.warnings, "warning"))
    found = (f"{number:,} {word}{'' if number == 1 else 's'}" for number, word in counts if number)
    return ", ".join(found) or "none"


def findings_of(row: IssuedSession | Build) -> str:
    """Those of a session or a build, the newest first, whatever became of them."""
    now = timezone.now()
    cells = (
        (link(each, each.rule), each.severity, describe_finding(each, now), each.what)
        for each in row.findings.all()[:NEWEST]
    )
    build = row.pk if isinstance(row, Build) else row.build_id
    address = list_address(AuditFinding, state="all", build=build)
    return newest(("Rule", "Severity", "State", "What"), cells, address, "All of the build")


class RunState(ChoiceFilter):
    title = parameter_name = "state"
    names: ClassVar = {state.value: state.label.lower() for state in JobRun.State}


class RunJob(ChoiceFilter):
    title = parameter_name = "job"

    @cached_property
    def names(self) -> dict[str, str]:  # type: ignore[override]
        """Scheduled commands, also those that never ran, and all others that have runs.

        Runs are removed after their time: there are some thousand rows, and an index.
        """
        jobs = JobRun.objects.order_by("job").values_list("job", flat=True).distinct()
        return {job: job for job in sorted({*JOBS, *jobs})}


class StoreOf(ByStore):
    """Rows of a store, which no index has in the list's order."""

    is_ordered = False


def state_of(run: JobRun, now: datetime) -> str:
    """The state in a sentence, with its age."""
    if run.finished_at is None:
        return f"running for {timesince(run.started_at, now)}"
    is_incomplete = run.state == JobRun.State.FINISHED and run.problem
    problem = ", with a problem" if is_incomplete else ""
    return f"{run.get_state_display().lower()} {timesince(run.finished_at, now)} ago{problem}"


def _stretch(stretch: Mapping[str, str]) -> str:
    """A time that findings are complete for, and of what: as `RecordedRun.covers` notes it."""
    since, until = (moment(datetime.fromisoformat(stretch[end])) for end in ("since", "until"))
    of = stretch.get("proof") or stretch.get("source")
    return f"{since} to {until}{f' ({of})' if of else ''}"


def _usage_row(held: Mapping[str, Any]) -> tuple[str, ...]:
    objects, size = f"{held['objects']:,}", filesizeformat(held["bytes"])
    if "more_bytes" not in held:
        return held["folder"], objects, size, "not known"
    if not (held["more_objects"] or held["more_bytes"]):
        return held["folder"], objects, size, "none"
    sign = "" if held["more_bytes"] < 0 else "+"
    more = f"{held['more_objects']:+,} objects, {sign}{filesizeformat(held['more_bytes'])}"
    return held["folder"], objects, size, more


@admin.register(JobRun)
class JobRunAdmin(Page, BigListAdmin):
    """Runs, read-only: what cron did, and when."""

    list_display = ("started_at", "job", "of_store", "state_now", "length", "found", "started_by")
    list_filter = (RunJob, RunState, StoreOf)
    list_select_related = ("store", "started_by")
    page_select_related = ("store", "started_by")
    seen_with = {"its_findings": AuditFinding}
    questions = (
        ("Result", ("state_now", "problem", "started_at", "length", "starter", "holder")),
        ("What it examined", ("job", "of_store", "read", "covered", "held")),
        ("What it found", ("found", "new", "its_findings")),
    )

    starter = named("started_by")

    @admin.display(description="state")
    def state_now(self, run: JobRun) -> str:
        return state_of(run, timezone.now())

    @admin.display(description="store")
    def of_store(self, run: JobRun) -> str:
        return link(run.store) if run.store else "all"

    @admin.display(description="took")
    def length(self, run: JobRun) -> str:
        if run.finished_at is None:
            return NOTHING
        return f"{(run.finished_at - run.started_at).total_seconds():,.1f} s"

    @admin.display(description="findings")
    def found(self, run: JobRun) -> str:
        return found_by(run)

    @admin.display(description="examined")
    def read(self, run: JobRun) -> str:
        return lines(f"{number:,} {what}" for what, number in run.looked_at.items())

    @admin.display(description="complete for")
    def covered(self, run: JobRun) -> str:
        return lines(map(_stretch, run.coverage[-NEWEST:]))

    @admin.display(description="largest folders")
    def held(self, run: JobRun) -> str:
        largest = sorted(usage_of(run), key=lambda each: -each["bytes"])[:NEWEST]
        return table(("folder", "objects", "size", "growth"), map(_usage_row, largest))

    @admin.display(description="findings of the job")
    def its_findings(self, run: JobRun) -> str:
        return anchor(list_address(AuditFinding, job=run.job), "Those that are open")


class FindingState(ChoiceFilter):
    """What is to be looked at, unless another state is chosen."""

    title = parameter_name = "state"
    names: ClassVar = {"all": "all", "acknowledged": "acknowledged", "closed": "closed"}
    without = "open"

    @property
    def is_used(self) -> bool:
        return self.value != "all"

    @property
    def is_ordered(self) -> bool:  # type: ignore[override]
        return self.value != AuditFinding.State.CLOSED

    def find(self, rows: Any) -> Rows:
        found: Rows = getattr(rows, self.value or AuditFinding.State.OPEN)(self.now)
        return found

    def ordered(self, rows: Rows) -> Rows:
        return rows.filter(closed_at=None) if self.is_ordered else rows


class FindingRule(ChoiceFilter):
    title = parameter_name = "rule"
    names: ClassVar = {rule.value: rule.value for rule in Rule}


class FindingSeverity(ChoiceFilter):
    title = parameter_name = "severity"
    names: ClassVar = dict(SEVERITIES)


class FindingJob(LinkFilter):
    title = parameter_name = "job"


class AcknowledgeActionForm(ReasonActionForm):
    # Whether it is a day, the action says: see `ReasonActionForm`.
    until = forms.CharField(required=False, widget=forms.DateInput(attrs={"type": "date"}))


class FindingForm(EditForm):
    """The end of an acknowledgement. Its reason is the note."""

    def clean_acknowledged_until(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["acknowledged_until"]
        if until and "acknowledged_until" in self.changed_data:
            require_possible_end(until=until, now=timezone.now())
        return until


@admin.register(AuditFinding)
class AuditFindingAdmin(Page, BigListAdmin):
    """Findings. People decide one thing about them: until when one is known and accepted."""

    form = FindingForm
    list_display = ("subject", "rule", "severity", "state_now", "first_seen_at", "last_seen_at")
    list_filter = (FindingState, FindingSeverity, FindingRule, StoreOf, FindingJob, ByBuild)
    actions = ("acknowledge", "withdraw")
    action_form = AcknowledgeActionForm
    page_select_related = ("store", "build", "session")
    seen_with = {
        "its_session": IssuedSession,
        "its_build": Build,
        "its_run": JobRun,
    }
    questions = (
        ("What was found", ("state_now", "severity", "rule", "subject", "what", "why", "change")),
        ("What it is about", ("its_session", "access_key_id", "its_build", "of_store")),
        ("When", ("first_seen_at", "last_seen_at", "seen", "its_run", "closed_at")),
        ("Known and accepted", ("acknowledged_until", "accepted")),
    )

    editable = ("acknowledged_until",)
    its_build, of_store = linked("build"), linked("store")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return KeeperAdmin.has_change_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        if form.changed_data:
            self._decide(request, obj.acknowledged_until, [obj.pk], form.given_reason)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Whoever decides writes the log."""

    def _decide(self, request: HttpRequest, until: datetime | None, keys: Any, note: str) -> int:
        """Acknowledge findings until a time, or withdraw that. Raises ValidationError."""
        what: dict[str, Any] = {
            "findings": AuditFinding.objects.filter(pk__in=keys),
            "actor": request.user,
            "note": note,
        }
        if until is None:
            return withdraw_acknowledgement(**what)
        return acknowledge(**what, until=until, now=timezone.now())

    @admin.action(description="Acknowledge selected findings", permissions=["change"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[AuditFinding]) -> None:
        if not (note := self.given_reason(request)):
            return
        try:
            day = forms.DateField(label="until").clean(request.POST.get("until", ""))
            until = datetime.combine(day, time(), UTC)
            count = self._decide(request, until, queryset.values("pk"), note)
        except ValidationError as err:
            words = f"Nothing was changed. Until, beside the action: {' '.join(err.messages)}"
            self.message_user(request, words, messages.ERROR)
        else:
            self.message_user(request, f"Acknowledged: {count}.")

    @admin.action(description="Withdraw acknowledgement", permissions=["change"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[AuditFinding]) -> None:
        if note := self.given_reason(request):
            count = self._decide(request, None, queryset.values("pk"), note)
            self.message_user(request, f"Withdrawn: {count}.")

    @admin.display(description="state")
    def state_now(self, finding: AuditFinding) -> str:
        return describe_finding(finding, timezone.now())

    @admin.display(description="session")
    def its_session(self, finding: AuditFinding) -> str:
        return link(finding.session, finding.session_id or NOTHING)

    @admin.display(description="seen by")
    def seen(self, finding: AuditFinding) -> str:
        runs = "1 run" if finding.times == 1 else f"{finding.times:,} runs"
        return f"{runs} of {finding.job}"

    @admin.display(description="last run that saw it")
    def its_run(self, finding: AuditFinding) -> str:
        return link(JobRun.objects.filter(pk=finding.last_run_id).first(), "the run")

    @admin.display(description="by")
    def accepted(self, finding: AuditFinding) -> str:
        if finding.acknowledged_at is None:
            return "nobody"
        at = moment(finding.acknowledged_at)
        return f"{finding.acknowledged_by}, {at}: {finding.acknowledged_note}"


@admin.register(LedgerExport)
class LedgerExportAdmin(Page, BigListAdmin):
    """The files to which `prune_sessions` moved old sessions, read-only."""

    list_display = ("file_name", "period", "row_count", "place", "state_now")
    questions = (
        ("The file", ("file_name", "place", "sha256", "row_count")),
        ("Which sessions it has", ("period", "first_id", "last_id")),
        ("How it was made", ("state_now", "begun_at", "finished_at", "deleted_at")),
    )

    @admin.display(description="sessions requested")
    def period(self, export: LedgerExport) -> str:
        return export.period

    @admin.display(description="state")
    def state_now(self, export: LedgerExport) -> str:
        if export.deleted_at:
            return "written, deleted from the ledger"
        return "written, not yet deleted from the ledger" if export.finished_at else "begun"
