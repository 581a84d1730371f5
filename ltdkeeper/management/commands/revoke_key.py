"""`manage.py revoke_key`: permanently revoke an API key and the tokens it issued."""

from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from credentials.access.clients import command_line_user, revoke_api_key
from credentials.models import ApiKey
from ltdkeeper.management.outcomes import ServiceCommand, wrong_argument


class Command(ServiceCommand):
    help = "Revoke an API key permanently. Sessions already issued work until they expire."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("public_id", help="the 12 characters after ltdk_; never the secret")

    def handle(self, *_args: Any, **options: Any) -> None:
        public_id = options["public_id"].removeprefix("ltdk_")
        key = ApiKey.objects.filter(public_id=public_id).first()
        if key is None:
            raise wrong_argument("There is no API key with that id. The admin lists them.")
        key = revoke_api_key(key=key, actor=command_line_user(), now=timezone.now())
        self.stdout.write(f"{key} of {key.client} is revoked since {key.revoked_at:%F %T} UTC.")
