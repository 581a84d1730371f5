"""People of the admin, beyond what Django has on accounts."""

from typing import ClassVar

from django.conf import settings
from django.db import models

ISSUER_LENGTH = SUBJECT_LENGTH = 255


class PersonIdentity(models.Model):
    """Who an account is at an issuer: the only way in which signing in there finds an account.

    An issuer never gives a subject to another person, as it may an e-mail address or a name
    (OpenID Connect Core 1.0, 5.7).
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identity"
    )
    issuer = models.CharField(max_length=ISSUER_LENGTH)
    subject = models.CharField(max_length=SUBJECT_LENGTH)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "person identities"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="person_once")
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"
