"""Refused calls, counted by hour: signs of somebody who probes, or of a misconfigured job."""

from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models

from credentials.models.clients import Client

# IPv6 networks are the longest: an address in full with the length of its prefix.
NETWORK_LENGTH = 43
REASON_LENGTH = 64


class RefusalQuerySet(models.QuerySet["Refusal"]):
    """Counts of refused calls, read as adjectives."""

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
        max_length=NETWORK_LENGTH,
        help_text="IPv6: the /64 network. 'other' where there were too many in the hour.",
    )
    reason = models.CharField(max_length=REASON_LENGTH, help_text="The code of the response.")
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
