"""Application configurations: the service's checks, and the admin site with its front page."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class KeeperConfig(AppConfig):
    """Registers the system checks of the settings."""

    name = "ltdkeeper"

    def ready(self) -> None:
        from ltdkeeper import checks  # noqa: F401, PLC0415 - registering is importing


class KeeperAdminConfig(AdminConfig):
    """Django's admin on a site whose front page shows the ledger's figures."""

    default_site = "credentials.dashboard.KeeperAdminSite"
