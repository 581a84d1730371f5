"""Webhooks in the admin, and what became of each event sent to them."""

import json
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_variables

from credentials.models import EventKind, Webhook, WebhookDelivery
from credentials.models.outbox import BOTH_SECRETS
from credentials.operations.outbox import change_secret, record_test_event, send_again
from credentials.operations.webhook_calls import Problem
from ltdkeeper.admin.filters import ActiveState, ChoiceFilter, RowFilter
from ltdkeeper.admin.forms import EditForm, ReasonActionForm
from ltdkeeper.admin.links import ACTIVE, NEWEST, link, linked, list_address, moment, newest
from ltdkeeper.admin.pages import Page
from ltdkeeper.admin.records import BigListAdmin, SwitchedAdmin

SHOWN_ONCE = "admin/credentials/webhook/shown_once.html"
State = WebhookDelivery.State
PROBLEMS = {
    Problem.UNKNOWN_HOST: "its host has no address",
    Problem.INTERNAL_ADDRESS: "its host leads into a network that is not allowed "
    "(LTD_WEBHOOK_ALLOWED_NETWORKS)",
    Problem.UNREACHABLE: "it could not be connected to, or hung up",
    Problem.CERTIFICATE: "its certificate is not valid for its host",
    Problem.TLS: "TLS failed",
    Problem.TIMED_OUT: "it did not respond in time",
    Problem.NOT_HTTP: "its response is not HTTP",
}
WAITS = "waits for manage.py deliver_webhooks, or for an earlier event about the same"


def outcome(delivery: WebhookDelivery) -> str:
    if not delivery.last_attempt_at:
        return "was never sent"
    if delivery.last_status:
        return f"answered {delivery.last_status}"
    return PROBLEMS.get(Problem(delivery.last_problem), delivery.last_problem)


def describe(delivery: WebhookDelivery) -> str:
    """The state in a sentence, with what comes next."""
    said = f"{outcome(delivery)} at attempt {delivery.attempts}, {moment(delivery.last_attempt_at)}"
    if delivery.state == State.DELIVERED:
        return f"delivered: {said}"
    if delivery.state == State.DEAD:
        return f"dead letter: {said if delivery.attempts else outcome(delivery)}"
    if not delivery.attempts:
        return WAITS
    return f"failed: {said}. The next attempt is due {moment(delivery.next_attempt_at)}"


class WebhookForm(EditForm):
    kinds = forms.MultipleChoiceField(
        choices=[(kind, kind) for kind in EventKind if kind != EventKind.TEST],
        required=False,
        label="Kinds of events",
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked: all.",
    )

    class Meta:
        model = Webhook
        fields = ("name", "url", "kinds", "products", "is_active")

    def clean_url(self) -> str:
        """http is for internal networks, which have to be allowed."""
        url: str = self.cleaned_data["url"]
        if url.startswith("http:") and not settings.LTD_WEBHOOK_ALLOWED_NETWORKS:
            raise forms.ValidationError("https only, unless LTD_WEBHOOK_ALLOWED_NETWORKS is set.")
        return url


@admin.register(Webhook)
class WebhookAdmin(Page, SwitchedAdmin):
    """Addresses that are told of events. They are disabled, not deleted. A path may be a secret of
    its own: who may not change webhooks is shown the host.
    """

    form = WebhookForm
    list_display = ("name", ACTIVE, "host", "told_of", "created_at")
    list_filter = (("is_active", ActiveState),)
    search_fields = ("name",)
    autocomplete_fields = ("products",)
    fields = WebhookForm.Meta.fields
    is_deletable = False
    editable = ("name", "url", "kinds", "products")
    actions = (*SwitchedAdmin.actions, "send_test", "make_secret")
    seen_with = {"newest_deliveries": WebhookDelivery}
    questions = (
        (None, ("name", "url", "kinds", "products", ACTIVE, "gone_at")),
        ("Its secret", ("secret_changed_at", "signed_with")),
        ("What was sent to it", ("newest_deliveries",)),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        return super().get_queryset(request).prefetch_related("products")

    def _shown(self, request: HttpRequest, field: Any) -> Any:
        shown = super()._shown(request, field)
        is_hidden = shown == "url" and not self.has_change_permission(request)
        return "host" if is_hidden else shown

    def get_readonly_fields(self, request: HttpRequest, obj: Webhook | None = None) -> Any:
        return (*super().get_readonly_fields(request, obj), "host")

    @admin.display(description="host")
    def host(self, webhook: Webhook) -> str:
        return urlsplit(webhook.url).netloc

    @admin.display(description="told of")
    def told_of(self, webhook: Webhook) -> str:
        kinds = ", ".join(webhook.kinds) or "everything"
        slugs = ", ".join(product.slug for product in webhook.products.all()[:NEWEST])
        return f"{kinds} of {slugs}" if slugs else kinds

    @admin.display(description="calls are signed with")
    def signed_with(self, webhook: Webhook) -> str:
        both = len(webhook.secrets(timezone.now())) > 1
        until = moment(webhook.secret_changed_at + BOTH_SECRETS)
        return f"this secret and, until {until}, the former one" if both else "this secret"

    @admin.display(description="newest deliveries")
    def newest_deliveries(self, webhook: Webhook) -> str:
        cells = (
            (moment(row.created_at), link(row, row.kind), row.subject, describe(row))
            for row in webhook.deliveries.defer("body")[:NEWEST]
        )
        address = list_address(WebhookDelivery, webhook=webhook.pk)
        return newest(("When", "Event", "About", "State"), cells, address, "All its deliveries")

    @sensitive_variables()
    def response_add(
        self, request: HttpRequest, obj: Webhook, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret on this one page."""
        return self._show_once(request, obj)

    @sensitive_variables()
    def _show_once(self, request: HttpRequest, webhook: Webhook) -> HttpResponse:
        return self.page(
            request,
            SHOWN_ONCE,
            f"Secret of the webhook {webhook}",
            webhook=webhook,
            is_new=not webhook.former_seed,
            secret=webhook.secrets(timezone.now())[0].reveal(),
        )

    @admin.action(description="Enable selected webhooks", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        self.switch(request, queryset, "Enabled", is_active=True, gone_at=None)

    @admin.action(description="Send a test event", permissions=["change"])
    def send_test(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        if not (reason := self.given_reason(request)):
            return
        for webhook in queryset.filter(is_active=True):
            record_test_event(webhook=webhook, now=timezone.now())
            self.log_change(request, webhook, f"Test event. Reason: {reason}.")
        words = "Recorded for those that are active. The next run of manage.py deliver_webhooks "
        self.message_user(request, f"{words}sends it: see the deliveries.")

    @admin.action(description="Make a new secret for the selected webhook", permissions=["change"])
    def make_secret(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> HttpResponse | None:
        if queryset.count() != 1:
            self.message_user(request, "Select one: its secret is shown once.", messages.ERROR)
            return None
        if not (reason := self.given_reason(request)):
            return None
        webhook = queryset.get()
        if change_secret(webhook=webhook, now=timezone.now()):
            self.log_change(request, webhook, f"Made a new secret. Reason: {reason}.")
        return self._show_once(request, webhook)


class DeliveryState(ChoiceFilter):
    title = parameter_name = "state"
    names: ClassVar = {state.value: state.label for state in State}

    @property
    def is_ordered(self) -> bool:  # type: ignore[override]
        return self.value == State.DEAD


class DeliveryWebhook(RowFilter):
    title, parameter_name, model = "webhook", "webhook", Webhook
    is_ordered = True


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(Page, BigListAdmin):
    """Events on their way, and for 30 days after. Operators send dead letters again."""

    list_display = ("created_at", "state_now", "webhook", "kind", "subject")
    list_filter = (DeliveryState, DeliveryWebhook)
    list_select_related = ("webhook",)
    page_select_related = ("webhook",)
    actions = ("send_again",)
    webhook_link = linked("webhook")
    action_form = ReasonActionForm
    questions = (
        (None, ("state_now", "webhook_link", "kind", "subject", "created_at")),
        ("Attempts", ("attempts", "last_attempt_at", "next_attempt_at", "give_up_at")),
        ("What is sent", ("event_id", "body_text")),
    )

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("credentials.resend_webhookdelivery")

    @admin.display(description="state")
    def state_now(self, delivery: WebhookDelivery) -> str:
        return describe(delivery)

    @admin.display(description="body")
    def body_text(self, delivery: WebhookDelivery) -> str:
        return format_html("<pre>{}</pre>", json.dumps(json.loads(delivery.body), indent=2))

    @admin.action(description="Send selected dead letters again", permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        if not (reason := self.given_reason(request)):
            return
        dead = list(queryset.filter(state=State.DEAD))
        count = send_again(deliveries=queryset, now=timezone.now())  # type: ignore[arg-type]
        for row in dead:
            self.log_change(request, row, f"Send again. Reason: {reason}.")
        words = "The next run of manage.py deliver_webhooks sends them."
        self.message_user(request, f"Dead letters that are due again: {count}. {words}")
