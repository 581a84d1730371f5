"""`manage.py deliver_webhooks`: send due events to webhooks; meant for cron, every minute."""

from argparse import ArgumentParser
from typing import Any

from tqdm import tqdm

from credentials.models import WebhookDelivery
from credentials.operations.outbox import deliver_webhooks
from credentials.operations.runs import recorded_run
from ltdkeeper.management.outcomes import ExitCode, ServiceCommand, end

State = WebhookDelivery.State


class Command(ServiceCommand):
    help = (
        "Send due events to their webhooks. Later runs retry failed deliveries for three days. "
        "Exit code 3 if a delivery failed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **_options: Any) -> None:
        counts = dict.fromkeys(State, 0)
        with recorded_run("deliver_webhooks") as run:
            for row in tqdm(deliver_webhooks(), unit="event", disable=None):
                counts[State(row.state)] += 1
                run.looked_at(**{row.state: 1})
        delivered, failed, dead = (
            counts[state] for state in (State.DELIVERED, State.WAITING, State.DEAD)
        )
        self.answer(
            {"delivered": delivered, "failed": failed, "dead_letters": dead},
            f"Delivered {delivered} events. Failed: {failed}, tried again later; "
            f"{dead} more became dead letters.",
        )
        end(ExitCode.NOT_MADE if failed or dead else ExitCode.NOTHING_FOUND)
