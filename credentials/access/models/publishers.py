"""Trusted publishers: whose identity tokens are taken, and what they open."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from builds.models import Product
from credentials.access.models.clients import Client


class OidcIssuer(models.Model):
    """A CI provider that signs identity tokens: exact issuer, and where its keys are.

    Nothing is ever fetched from an address that is not in such a row.
    """

    class Kind(models.TextChoices):
        GITHUB = "github", "GitHub Actions"
        GITLAB = "gitlab", "GitLab CI"
        OTHER = "other", "another"

    kind = models.CharField(max_length=8, choices=Kind)
    issuer = models.CharField(
        max_length=255, unique=True, help_text="The `iss` claim, exactly as it is signed."
    )
    jwks_url = models.CharField("JWKS address", max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "OIDC issuer"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(jwks_url__startswith="https://"), name="oidc_issuer_keys_over_tls"
            )
        ]

    def __str__(self) -> str:
        return self.issuer


class TrustedPublisher(models.Model):
    """A rule: who presents an identity like this stands for the client, for these products.

    `conditions` maps a claim to the list of values it may have; all must hold. A rule without
    a claim that identifies the repository or project is refused.
    """

    name = models.CharField(max_length=64, help_text="For people: what it lets in.")
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="publishers")
    issuer = models.ForeignKey(OidcIssuer, on_delete=models.PROTECT, related_name="publishers")
    conditions = models.JSONField(default=dict)
    products = models.ManyToManyField(Product, related_name="+")
    is_active = models.BooleanField(
        default=True, help_text="Unticked: it lets nobody in, and the tokens it gave are refused."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(conditions={}), name="trusted_publisher_has_conditions"
            )
        ]

    def __str__(self) -> str:
        return self.name


class UsedIdentityToken(models.Model):
    """An identity token that was taken, kept until it has expired, so that none is taken twice."""

    issuer = models.ForeignKey(OidcIssuer, on_delete=models.CASCADE, related_name="+")
    one_time_id = models.CharField(
        max_length=64, help_text="SHA-256 of `jti`, or of the signing input where there is none."
    )
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["issuer", "one_time_id"], name="identity_token_used_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.issuer} {self.one_time_id}"
