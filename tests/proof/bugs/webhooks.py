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
)
