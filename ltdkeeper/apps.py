"""Application configurations: the service's templates, files and checks, and the admin's pages."""

from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.core import checks
from django.core.management import CommandError, load_command_class

from credentials.rules.schedule import JOBS, Job

PAGES = (
    *("accounts", "stores", "builds", "clients", "keys", "publishers", "ledger", "refusals"),
    *("login", "revocations", "audits", "webhooks"),
)


class KeeperConfig(AppConfig):
    """What belongs to no other application."""

    name = "ltdkeeper"

    def ready(self) -> None:
        checks.register(check_schedule, "schedule")


def check_schedule(**_: Any) -> list[checks.CheckMessage]:
    """Each job of LTD_SCHEDULE has the arguments that its command takes."""
    jobs = (job for job in settings.LTD_SCHEDULE if job.arguments or not JOBS[job.command].every)
    return [
        checks.Error(
            f"LTD_SCHEDULE, {' '.join([job.command, *job.arguments])}: {why}", id="ltdkeeper.E001"
        )
        for job in jobs
        if (why := _what_is_wrong(job))
    ]


def _what_is_wrong(job: Job) -> str:
    store = ["STORE"] if job.is_per_store else []
    parser = load_command_class("ltdkeeper", job.command).create_parser("manage.py", job.command)
    try:
        options = vars(parser.parse_args([*job.arguments, *store]))
    except CommandError as err:
        return str(err).removeprefix("Error: ")
    except SystemExit:  # --help and --version
        return "this does no work"
    # Runs that are not recorded would make the job due at every look of the clock.
    if options.get("dry_run") or not options.get("apply", True):
        return "this changes nothing. Add --apply, or remove --dry-run"
    if job.command == "write_revocations" and options["store"]:
        return "the job writes every store. Remove --store"
    return ""


class KeeperAdminConfig(AdminConfig):
    """Django's admin on a site whose front page shows the ledger's metrics, with our pages."""

    default_site = "ltdkeeper.admin.site.KeeperAdminSite"

    def ready(self) -> None:
        super().ready()
        for page in PAGES:
            import_module(f"ltdkeeper.admin.{page}")
