"""Bugs of webhooks: where they may lead."""

from tests.proof.bugs.bug import bugs_in

WEBHOOK_BUGS = bugs_in(
    "credentials/operations/webhook_calls.py",
    "tests/credentials/operations/test_webhook_calls.py",
    webhooks_reach_internal_networks=(
        "for address in allowed[:2]:",
        "for address in addresses:",
    ),
    names_are_resolved_again=(
        "socket.create_connection((address, port)",
        "socket.create_connection((host, port)",
    ),
    certificates_of_webhooks_are_not_checked=(
        "ssl.create_default_context()",
        "ssl._create_unverified_context()",
    ),
) | bugs_in(
    "credentials/operations/outbox.py",
    "tests/credentials/operations/test_outbox.py",
    later_events_overtake_earlier_ones=(
        "due = waiting.filter(~Exists(earlier), next_attempt_at__lte=now)",
        "due = waiting.filter(next_attempt_at__lte=now)",
    ),
    dead_letters_are_tried_for_ever=(
        "elif answer.status == GONE or now >= row.give_up_at:",
        "elif answer.status == GONE:",
    ),
    gone_webhook_is_called_again=(
        "webhook.is_active, webhook.gone_at = False, now",
        "webhook.is_active, webhook.gone_at = True, now",
    ),
    waiting_events_are_removed=(
        "over.exclude(state=State.WAITING).delete()",
        "over.delete()",
    ),
)
