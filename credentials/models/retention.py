"""What is kept of old ledger rows: templates of their policies, and which files they are in."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from ulid import ULID


class PolicyTemplate(models.Model):
    """A policy with marks for bucket and root: sessions of a store differ in little else."""

    text = models.TextField(unique=True)

    def __str__(self) -> str:
        return self.text


class LedgerExportQuerySet(models.QuerySet["LedgerExport"]):
    def undeleted(self) -> "LedgerExportQuerySet":
        """Those of which the ledger may still have rows."""
        return self.filter(deleted_at=None)


class LedgerExport(models.Model):
    """One file of ledger rows. The row is committed before the file is written, and outlives it.

    Begun, then finished (the file and its checksum are on disk), then deleted (the ledger has none
    of its rows). A run that was killed is continued from the state that it reached.
    """

    file_name = models.CharField(max_length=100, unique=True)
    place = models.TextField(
        "where", blank=True, db_default="", help_text="Host and directory, when it was written."
    )
    first_id = models.CharField("first ledger id", max_length=26)
    last_id = models.CharField("last ledger id", max_length=26)
    until = models.DateTimeField(help_text="Its sessions were over by then.")
    row_count = models.PositiveBigIntegerField("rows", default=0)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True, help_text="Of the file.")
    begun_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(
        null=True, help_text="When the last of its rows was deleted from the ledger."
    )

    objects = LedgerExportQuerySet.as_manager()

    class Meta:
        verbose_name = "ledger export"
        ordering: ClassVar = ["first_id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(finished_at=None) ^ ~Q(sha256=""), name="export_finished_has_checksum"
            ),
            models.CheckConstraint(
                condition=Q(deleted_at=None) | Q(finished_at__isnull=False),
                name="export_deleted_after_finished",
            ),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def begins_at(self) -> datetime:
        """When the first of its sessions was asked for, as its ledger id says."""
        return ULID.from_str(self.first_id.upper()).datetime

    @property
    def period(self) -> str:
        """When its sessions were asked for."""
        return f"{self.begins_at:%F %H:%M} to {self.until:%F %H:%M} UTC"
