"""The confirmation of everything that stops what was issued: one page, one reason, one button.

It revokes the live sessions of rows of one kind. Or it ends the rows themselves (disables clients,
revokes keys and job tokens, deletes builds), and offers to revoke their sessions with them.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property

from builds.models import Build
from credentials.access.clients import revoke_api_key, revoke_job_token
from credentials.access.registrations import delete_registered_build
from credentials.access.revocations import LONGEST_SESSION
from credentials.models import ApiKey, Client, IssuedSession, JobToken, Revocation
from credentials.operations.revocation_targets import KINDS, Target, target_of
from credentials.operations.revoking import preview, revoke
from ltdkeeper.admin.forms import ReasonField
from ltdkeeper.admin.links import list_address, page_address
from ltdkeeper.admin.lists import is_key
from ltdkeeper.admin.records import KeeperAdmin

TEMPLATE = "admin/revocations/confirm.html"
PERMISSION = "credentials.revoke_issuedsession"
# A list's page has no more rows.
MOST_ROWS = 100
# So many keys are named.
MOST_NAMES = 5
# As browsers write it in a field for dates and times; they leave out seconds that are 0.
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S"
TYPED_REASON = "typed_reason"  # in the session: beside the action that leads here
LATER = "Sessions issued at that time or later keep working."

MODELS: dict[str, type[Model]] = {kind: model for model, kind in KINDS.items()}
# Of any other session nothing is left to revoke.
REVOCABLE = {
    IssuedSession.State.ACTIVE,
    IssuedSession.State.REQUESTED,
    IssuedSession.State.STUCK,
}


def page_for(row: Model) -> Any:
    return admin.site.get_model_admin(type(row))


# What ends permanently with its own action, and how.


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How rows of a kind are ended: `end` also writes the reason to the admin's log.

    Whoever may change the rows may end them; some also whoever may revoke sessions.
    """

    verb: str
    past: str
    consequence: str
    end: Callable[[HttpRequest, Any, str], None]
    is_for_revokers: bool = False


def _disable(request: HttpRequest, client: Client, reason: str) -> None:
    words = f"Disabled. Reason: {reason}"
    page_for(client).switch_one(request, client, words, {"is_active": False})


def _revoke_key(request: HttpRequest, key: ApiKey, reason: str) -> None:
    revoke_api_key(key=key, actor=request.user, reason=reason, now=timezone.now())


def _revoke_job_token(request: HttpRequest, token: JobToken, reason: str) -> None:
    if revoke_job_token(job_token=token, now=timezone.now()):
        page_for(token).log_change(request, token, f"Revoked. Reason: {reason}")


def _delete(request: HttpRequest, build: Build, reason: str) -> None:
    if build.deleted_at is None:
        delete_registered_build(build_id=build.pk, now=timezone.now())
        page_for(build).log_change(request, build, f"Marked as deleted. Reason: {reason}")


ENDINGS: dict[str, Ending] = {
    "client": Ending(
        verb="Disable",
        past="Disabled",
        consequence="Its next call is refused, with any key or token, until it is enabled again.",
        end=_disable,
    ),
    "api_key": Ending(
        verb="Revoke",
        past="Revoked",
        consequence="This cannot be undone. The next call with the key, or with a token that it "
        "gave, is refused.",
        end=_revoke_key,
        is_for_revokers=True,
    ),
    "job_token": Ending(
        verb="Revoke",
        past="Revoked",
        consequence="This cannot be undone. The job's next call is refused.",
        end=_revoke_job_token,
        is_for_revokers=True,
    ),
    "build": Ending(
        verb="Mark as deleted:",
        past="Marked as deleted",
        consequence="This cannot be undone. The build gets no more credentials. Its objects stay "
        "until they are purged.",
        end=_delete,
    ),
}


class RevokeForm(forms.Form):
    sessions = forms.BooleanField(required=False)
    keys = forms.BooleanField(
        required=False,
        help_text="This cannot be undone. A key that is not revoked works again if the client is "
        "enabled.",
    )
    before = forms.DateTimeField(
        label="Issued before (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}),
        help_text=f"Empty: all that are live. {LATER}",
    )
    may_go_on = forms.BooleanField(
        label="Revoke only the sessions, and nothing else",
        required=False,
        help_text=(
            "Clients, keys and tokens stay valid, and their holders can get new sessions at once. "
            "Do not tick this if a key or token may have leaked."
        ),
    )
    reason = ReasonField(help_text="Kept with the revocation and in the admin's log. No secrets.")

    def __init__(
        self, data: Any = None, *, without: Collection[str], needs_time: bool = False
    ) -> None:
        super().__init__(data, label_suffix="")
        if needs_time:
            before = self.fields["before"]
            before.required, before.help_text = True, LATER
            before.initial = f"{timezone.now():{TIME_FORMAT}}".removesuffix(":00")
        for name in without:
            del self.fields[name]

    def clean_before(self) -> datetime | None:
        before: datetime | None = self.cleaned_data["before"]
        now = timezone.now()
        if before and not now - LONGEST_SESSION < before <= now:
            raise ValidationError("A time within the last 12 hours: older sessions have expired.")
        return before

    def clean(self) -> None:
        """Keys are revoked unless only sessions are."""
        super().clean()
        if self.cleaned_data.get("may_go_on"):
            self.cleaned_data["keys"] = False

    def counted_time(self) -> datetime | None:
        """What the page counts for: the time that was sent, or the one that it suggests."""
        field = self.fields.get("before")
        if field is None:
            return None
        sent = self.cleaned_data.get("before") if self.is_bound else None
        return sent or field.to_python(field.initial)

    def is_counted(self) -> bool:
        """Whether the number on the button was counted for the time that was sent."""
        return bool(self.data.get("before", "") == self.data.get("counted_before", ""))


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """One request about rows of a kind: shown (GET) or decided (POST)."""

    request: HttpRequest
    kind: str
    rows: Sequence[Any]
    ending: Ending | None = None

    def respond(self) -> HttpResponse:
        form = RevokeForm(
            self.request.POST if self.request.method == "POST" else None,
            without=self._unused_fields(),
            needs_time=self.kind == "store",
        )
        if form.is_valid() and form.is_counted():
            return self._decide(**form.cleaned_data)
        return self._page(form)

    def _unused_fields(self) -> list[str]:
        keys = [] if self._keys else ["keys"]
        if not self.ending:
            is_session = self.kind == Revocation.Kind.SESSION
            return ["sessions", *keys, *(["before"] if is_session else [])]
        sessions = [] if may_revoke(self.request) else ["sessions"]
        return ["before", "may_go_on", *keys, *sessions]

    @cached_property
    def _keys(self) -> list[ApiKey]:
        """The API keys of clients, for whoever may revoke them: disabling ends none of them."""
        if self.kind != Revocation.Kind.CLIENT or not may_revoke(self.request):
            return []
        return list(ApiKey.objects.filter(client__in=self.rows, revoked_at=None).order_by("pk"))

    def _targets(self, before: datetime | None) -> list[Target]:
        return [target_of(row, before=before) for row in self.rows]

    @property
    def name(self) -> str:
        """The rows in words: `client ci`, `3 clients`."""
        noun = Revocation.Kind(self.kind).label
        return f"{noun} {self.rows[0]}" if len(self.rows) == 1 else counted(len(self.rows), noun)

    @property
    def title(self) -> str:
        if self.ending:
            return f"{self.ending.verb} {self.name}"
        if self.kind == Revocation.Kind.SESSION:
            return f"Revoke {self.name}"
        return f"{self._label}: {self.name}"

    @property
    def _label(self) -> str:
        """Of the button that led here."""
        return str(page_for(self.rows[0]).revoke_label)

    @property
    def _named_keys(self) -> str:
        names = ", ".join(key.token_name for key in self._keys[:MOST_NAMES])
        more = ", ..." if len(self._keys) > MOST_NAMES else ""
        return f"{counted(len(self._keys), 'API key')} ({names}{more})"

    def _page(self, form: RevokeForm) -> HttpResponse:
        before = form.counted_time()
        form.fields["reason"].initial = self.request.session.pop(TYPED_REASON, "")
        found = preview(targets=self._targets(before), now=timezone.now())
        count = counted(found.session_count, "session")
        if "sessions" in form.fields:
            form.fields["sessions"].label = f"Revoke {count} too"
        if "keys" in form.fields:
            form.fields["keys"].label = f"Revoke {self._named_keys} too"
            # A leaked key is the usual reason here. A client that is only disabled may come back.
            form.fields["keys"].initial = not self.ending
        context = {
            **admin.site.each_context(self.request),
            "title": self.title,
            "opts": self.rows[0]._meta,
            "rows": self.rows,
            "ending": self.ending,
            "preview": found,
            "session_count": count,
            "more_sessions": found.session_count - len(found.sessions),
            "more_builds": found.build_count - len(found.builds),
            "form": form,
            "recounted": form.is_bound,
            "counted_before": form["before"].value() or "" if "before" in form.fields else "",
            "button": self.title if self.ending else re.sub("sessions?", count, self._label),
        }
        return TemplateResponse(self.request, TEMPLATE, context)

    def _decide(
        self,
        *,
        reason: str,
        before: datetime | None = None,
        may_go_on: bool = True,
        sessions: bool = False,
        keys: bool = False,
    ) -> HttpResponse:
        """End the rows and record the revocations, all or nothing."""
        made: list[Revocation] = []
        with transaction.atomic():
            for row, target in zip(self.rows, self._targets(before), strict=True):
                if self.ending:
                    self.ending.end(self.request, row, reason)
                if sessions or not self.ending:
                    made += revoke(
                        target=target,
                        reason=reason,
                        by=self.request.user,
                        may_go_on=may_go_on,
                        now=timezone.now(),
                    )
            for key in self._keys if keys else ():  # as issuing locks them: after their clients
                revoke_api_key(key=key, actor=self.request.user, reason=reason, now=timezone.now())
        ends = not may_go_on and self.kind != Revocation.Kind.BUILD
        ending = ENDINGS.get(self.kind) if ends else self.ending
        said = [f"{ending.past}: {self.name}."] if ending else []
        if keys and self._keys:
            said.append(f"Revoked: {self._named_keys}.")
        return self._result(made, said)

    def _result(self, made: list[Revocation], said: list[str]) -> HttpResponse:
        """On to the page of the only revocation, the list of several, or where it began."""
        if made:
            count = counted(sum(each.session_count for each in made), "session")
            said.append(f"Revocation recorded: {count}.")
        elif not self.ending:
            said.append("No live session was left.")
        messages.success(self.request, " ".join(said))
        if not made or not page_for(made[0]).has_view_permission(self.request):
            return HttpResponseRedirect(list_address(type(self.rows[0])))
        is_one = len(made) == 1
        return HttpResponseRedirect(page_address(made[0]) if is_one else list_address(Revocation))


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


# The two addresses.


def revoke_view(request: HttpRequest, kind: str, key: str = "") -> HttpResponse:
    """Revoke the live sessions of one row, or of those that were selected in a list."""
    if not may_revoke(request):
        raise PermissionDenied
    return Confirmation(request=request, kind=kind, rows=_rows(request, kind, key)).respond()


def end_view(request: HttpRequest, kind: str) -> HttpResponse:
    """End the rows that were selected in a list, and their sessions if wanted."""
    if kind not in ENDINGS:
        raise Http404
    ending = ENDINGS[kind]
    may_change = admin.site.get_model_admin(MODELS[kind]).has_change_permission(request)
    if not (may_change or (ending.is_for_revokers and may_revoke(request))):
        raise PermissionDenied
    rows = _rows(request, kind, "")
    return Confirmation(request=request, kind=kind, rows=rows, ending=ending).respond()


def _rows(request: HttpRequest, kind: str, key: str) -> list[Any]:
    keys = [key] if key else request.GET.getlist("key")[:MOST_ROWS]
    model = MODELS.get(kind)
    if model is None or not all(is_key(model._meta.pk, each) for each in keys):
        raise Http404
    if not (rows := list(model._base_manager.filter(pk__in=keys).order_by("pk"))):  # noqa: SLF001 - documented
        raise Http404
    return rows


def may_revoke(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(PERMISSION))


def revoke_button(request: HttpRequest, row: Model) -> dict[str, str]:
    """Where revoking the sessions of a row is confirmed, and what that is called. Empty for
    whoever may not, and where nothing can be revoked.
    """
    is_over = isinstance(row, IssuedSession) and row.state(timezone.now()) not in REVOCABLE
    if (kind := KINDS.get(type(row))) is None or is_over or not may_revoke(request):
        return {}
    address = reverse("admin:revoke", args=[kind, row.pk])
    return {"revoke_url": address, "revoke_label": page_for(row).revoke_label}


class RevocableAdmin(KeeperAdmin):
    """Its rows have sessions: a button on the page of each, and actions that ask first."""

    revoked_as: str
    revoke_label: str = "Revoke sessions"

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """What Django asks for actions with the permission `revoke`."""
        return may_revoke(request)

    def confirm(self, request: HttpRequest, view: str, rows: QuerySet[Any]) -> HttpResponse | None:
        """What an action responds with: the page, named `revoke_selected` or `end`, that asks."""
        keys = [("key", pk) for pk in rows.values_list("pk", flat=True)[: MOST_ROWS + 1]]
        if not 0 < len(keys) <= MOST_ROWS:
            fewer = f"At most {MOST_ROWS} at once. Select fewer."
            words = fewer if keys else "What was selected is not in this list any more."
            self.message_user(request, words, messages.ERROR)
            return None
        if typed := request.POST.get("reason"):
            request.session[TYPED_REASON] = typed
        address = reverse(f"admin:{view}", args=[self.revoked_as])
        return HttpResponseRedirect(f"{address}?{urlencode(keys)}")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if row := kwargs.get("obj"):
            context |= revoke_button(request, row)
        return super().render_change_form(request, context, *args, **kwargs)
