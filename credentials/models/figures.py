"""Counts by hour: sessions that were requested, for charts, and calls that were refused."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q

from credentials.models.clients import Client

# The name that stands for all clients together. No client can have it.
EVERYBODY = ""


class HourlyCountQuerySet(models.QuerySet["HourlyCount"]):
    def of_everybody(self) -> "HourlyCountQuerySet":
        return self.filter(client_name=EVERYBODY)

    def of_clients(self) -> "HourlyCountQuerySet":
        return self.exclude(client_name=EVERYBODY)


class HourlyCount(models.Model):
    """What one client, or everybody, asked for in a closed hour; without internal sessions.

    Every hour that was counted has a row for everybody, also where nothing happened.
    """

    hour = models.DateTimeField(help_text="When it begins.")
    client = models.ForeignKey(
        Client, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    client_name = models.CharField(max_length=64, blank=True)
    issued = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    withheld = models.PositiveIntegerField(default=0)
    refused = models.PositiveBigIntegerField(default=0)

    objects = HourlyCountQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["hour"], condition=Q(client_name=EVERYBODY), name="hour_of_everybody"
            )
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hour", "client_name"], name="hourly_count_once")
        ]

    def __str__(self) -> str:
        return f"{self.client_name or 'everybody'} {self.hour:%F %H}:00"


class RefusalQuerySet(models.QuerySet["Refusal"]):
    def since(self, moment: datetime) -> "RefusalQuerySet":
        """Those of the hour that a moment lies in, and of all later ones."""
        return self.filter(hour__gte=moment.replace(minute=0, second=0, microsecond=0))

    def before(self, moment: datetime) -> "RefusalQuerySet":
        return self.filter(hour__lt=moment)

    def last_day(self, now: datetime) -> "RefusalQuerySet":
        return self.since(now - timedelta(hours=23))


class Refusal(models.Model):
    """How many calls were refused in an hour for one reason, from one address, for one token.

    Nothing here is text that a caller chose: a token or product is named only where it exists.
    The token was named by the caller, who had its secret only where it was accepted.
    """

    hour = models.DateTimeField()
    network = models.CharField(
        "address",
        max_length=43,  # of an IPv6 address in full with the length of its prefix
        help_text="IPv6: the /64 network. 'other' where there were too many in the hour.",
    )
    reason = models.CharField(max_length=64, help_text="The code of the response.")
    token_name = models.CharField("token", max_length=64, blank=True)
    product_slug = models.CharField("product", max_length=63, blank=True)
    client = models.ForeignKey(
        Client, null=True, on_delete=models.SET_NULL, related_name="refusals"
    )
    token_accepted = models.BooleanField(
        null=True,
        help_text="In at least one of the calls, so that its caller has the secret.",
    )
    calls = models.PositiveBigIntegerField()
    first_at = models.DateTimeField(null=True, help_text="Right to some seconds.")
    last_at = models.DateTimeField()

    objects = RefusalQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "refused calls"
        ordering: ClassVar = ["-hour", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["network", "hour"], name="refusal_by_network"),
            models.Index(fields=["client", "hour"], name="refusal_by_client"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["hour", "network", "reason", "token_name", "product_slug"],
                name="refusal_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.calls} from {self.network}: {self.reason}"
