"""Application configurations: the service's templates and files, and the admin's front page."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class KeeperConfig(AppConfig):
    """What belongs to no other application."""

    name = "ltdkeeper"


class KeeperAdminConfig(AdminConfig):
    """Django's admin on a site whose front page shows the ledger's figures."""

    default_site = "ltdkeeper.admin.site.KeeperAdminSite"
