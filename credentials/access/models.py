"""Who may ask: clients, their grants, their API keys, and who registered which build."""

from datetime import datetime
from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from builds.models import Build, Product

CLIENT_NAME_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9._-]*\Z"
CLIENT_NAME_LENGTH = 64
TOKEN_NAME_LENGTH = 64


class Client(models.Model):
    """A machine that asks: a CI system or a project. Sees only the products it is granted."""

    name = models.CharField(
        max_length=CLIENT_NAME_LENGTH,
        unique=True,
        validators=[RegexValidator(CLIENT_NAME_PATTERN, "Letters, digits, '.', '_' and '-'.")],
        help_text="Uploaders send it as their user name.",
    )
    is_active = models.BooleanField(
        default=True, help_text="Unticked: its next call is refused, whatever it holds."
    )
    may_create_products = models.BooleanField(default=False)
    products = models.ManyToManyField(Product, through="Grant", related_name="clients", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(name__regex=CLIENT_NAME_PATTERN), name="client_name_legal"
            )
        ]

    def __str__(self) -> str:
        return self.name


class Grant(models.Model):
    """Lets a client see a product and upload to it."""

    client = models.ForeignKey(Client, on_delete=models.CASCADE, related_name="grants")
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="grants")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["client", "product"], name="grant_once")
        ]

    def __str__(self) -> str:
        return f"{self.client} may upload to {self.product}"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """API keys, read as adjectives."""

    def usable(self, now: datetime) -> "ApiKeyQuerySet":
        alive = Q(expires_at=None) | Q(expires_at__gt=now)
        return self.filter(alive, withdrawn_at=None, client__is_active=True)

    def without_expiry(self) -> "ApiKeyQuerySet":
        return self.filter(expires_at=None)


class ApiKey(models.Model):
    """A client's long-lived secret, of which only the SHA-256 is here. Withdrawing is final."""

    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="api_keys")
    label = models.CharField(max_length=64, blank=True, help_text="Where it is used.")
    public_id = models.CharField(max_length=12, unique=True, editable=False)
    secret_sha256 = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(
        null=True, blank=True, help_text="Empty: never. The audit names keys without an expiry."
    )
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(secret_sha256__regex=r"^[0-9a-f]{64}\Z"),  # noqa: S106 - a pattern
                name="api_key_hashed",
            )
        ]

    def __str__(self) -> str:
        return self.token_name

    @property
    def token_name(self) -> str:
        """What the ledger calls it: enough to find it, nothing to use it."""
        return f"ltdk_{self.public_id}"

    def is_usable(self, now: datetime) -> bool:
        """Whether it opens anything at a moment, its client aside."""
        return self.withdrawn_at is None and (self.expires_at is None or now < self.expires_at)


class KeySession(models.Model):
    """What `GET /token` gives for an API key: the key's rights and ownership, for hours."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="sessions")
    public_id = models.CharField(max_length=12, unique=True)
    secret_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")), name="key_session_expires"
            )
        ]

    def __str__(self) -> str:
        return self.token_name

    @property
    def token_name(self) -> str:
        """What the ledger calls it."""
        return f"ltds_{self.public_id}"


class Registration(models.Model):
    """Who registered a build, and so owns it: the client's keys."""

    build = models.OneToOneField(Build, on_delete=models.PROTECT, related_name="registration")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="registrations")
    token_name = models.CharField(max_length=TOKEN_NAME_LENGTH)

    def __str__(self) -> str:
        return f"{self.build_id} by {self.token_name}"
