"""How many sessions were requested in an hour: a roll-up of the ledger, for charts."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from credentials.models.clients import Client

# The name that stands for all clients together. No client can have it.
EVERYBODY = ""


class HourlyCountQuerySet(models.QuerySet["HourlyCount"]):
    """Counts of hours, read as adjectives."""

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
