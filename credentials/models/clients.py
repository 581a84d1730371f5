"""Clients with the products they are granted, and people of the admin."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from builds.models import Product

CLIENT_NAME_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9._-]*\Z"
CLIENT_NAME_LENGTH = 64


class Client(models.Model):
    """A machine that asks: a CI system or a project. Sees only the products it is granted."""

    name = models.CharField(
        max_length=CLIENT_NAME_LENGTH,
        unique=True,
        validators=[RegexValidator(CLIENT_NAME_PATTERN, "Letters, digits, '.', '_' and '-'.")],
        help_text="Uploaders send it as their user name.",
    )
    is_active = models.BooleanField(
        default=True,
        help_text="No: its next call is refused, whatever token it uses. The actions of the list "
        "change this.",
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


class PersonIdentity(models.Model):
    """Who an account is at an issuer: the only way in which signing in there finds an account.

    An issuer never gives a subject to another person, as it may an e-mail address or a name
    (OpenID Connect Core 1.0, 5.7).
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identity"
    )
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "person identities"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="person_once")
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"
