"""Application configurations: the service's templates and files, and the admin's pages."""

from importlib import import_module

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.core import checks

from ltdkeeper.checks import check_schedule

PAGES = (
    *("records", "stores", "builds", "clients", "keys", "publishers", "ledger", "refusals"),
    *("login", "revocations", "audits", "webhooks"),
)


class KeeperConfig(AppConfig):
    """What belongs to no other application."""

    name = "ltdkeeper"

    def ready(self) -> None:
        checks.register(check_schedule, "schedule")


class KeeperAdminConfig(AdminConfig):
    """Django's admin on a site whose front page shows the ledger's metrics, with our pages."""

    default_site = "ltdkeeper.admin.site.KeeperAdminSite"

    def ready(self) -> None:
        super().ready()
        for page in PAGES:
            import_module(f"ltdkeeper.admin.{page}")
