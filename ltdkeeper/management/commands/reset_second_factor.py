"""`manage.py reset_second_factor`: for people who lost their device."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User

from credentials.access.clients import command_line_user
from ltdkeeper.admin import second_factor
from ltdkeeper.management.outcomes import ServiceCommand, wrong_argument


class Command(ServiceCommand):
    help = "Remove an account's second factor: its device and its recovery codes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="as in the admin's list of users")
        parser.add_argument("--reason", required=True, help="kept in the admin's log")

    def handle(self, *_args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise wrong_argument("There is no account with that name. The admin lists them.")
        was = second_factor.reset(user=user, actor=command_line_user(), reason=options["reason"])
        did = "has no second factor any more" if was else "had no second factor"
        self.stdout.write(f"{user} {did}.")
