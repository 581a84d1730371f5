"""Trusted publishers: whose identity tokens are accepted, and what they open."""

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from builds.models import Product
from builds.validators import refuse_controls
from credentials.models.clients import Client
from credentials.models.validators import validate_claim_names
from credentials.rules.publishers import (
    IssuerKind,
    claims_of,
    condition_problems,
    default_issuer,
    default_jwks_url,
    event_warnings,
    is_https_address,
    with_usual_events,
)

NOT_AN_ADDRESS = "Write an https address, without credentials and without a fragment."


class OidcIssuer(models.Model):
    """A CI provider that signs identity tokens: exact issuer, and where its keys are.

    Nothing is ever fetched from an address that is not in such a row.
    """

    class Kind(models.TextChoices):
        GITHUB = IssuerKind.GITHUB.value, "GitHub Actions"
        GITLAB = IssuerKind.GITLAB.value, "GitLab CI"
        OTHER = IssuerKind.OTHER.value, "another"

    kind = models.CharField(max_length=8, choices=Kind)
    issuer = models.CharField(
        max_length=255,
        unique=True,
        blank=True,
        help_text="The `iss` claim, exactly as it is signed. Empty: that of github.com or "
        "gitlab.com. A GitLab of your own: its address, such as https://gitlab.example.org.",
    )
    jwks_url = models.CharField(
        "JWKS address",
        max_length=255,
        blank=True,
        help_text="Where its public keys are. Empty: where GitHub and GitLab have them.",
    )
    identifying_claims = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_claim_names],
        help_text='For another issuer: a list of the claims, such as ["organization_id", '
        '"pipeline_id"], that permanently identify a project, the most specific first. '
        "Every rule must name them. Not `sub`, and no names that someone else can take "
        "later.",
    )
    is_active = models.BooleanField(
        default=True,
        help_text="No: none of its rules accepts any job. The actions of the list change this; "
        "disabling disables its rules as well, enabling enables none of them.",
    )
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

    def clean(self) -> None:
        """Fill in what the kind knows; refuse what could not be fetched safely."""
        if self.kind not in self.Kind.values:
            return  # the field says so
        kind = IssuerKind(self.kind)
        self.issuer = self.issuer or default_issuer(kind)
        self.jwks_url = self.jwks_url or default_jwks_url(kind, self.issuer)
        wrong = {
            name: NOT_AN_ADDRESS
            for name in ("issuer", "jwks_url")
            if not is_https_address(getattr(self, name))
        }
        if (kind is IssuerKind.OTHER) != bool(self.identifying_claims):
            wrong["identifying_claims"] = "Needed for another issuer; fixed for GitHub and GitLab."
        if wrong:
            raise ValidationError(wrong)


class TrustedPublisher(models.Model):
    """A rule: who presents an identity like this stands for the client, for these products.

    `conditions` maps a claim to the list of values it may have; all must hold. A rule without
    a claim that identifies the repository or project is refused.
    """

    name = models.CharField(
        max_length=64, help_text="A description for people: which jobs it accepts."
    )
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="publishers")
    issuer = models.ForeignKey(OidcIssuer, on_delete=models.PROTECT, related_name="publishers")
    conditions = models.JSONField(default=dict)
    products = models.ManyToManyField(
        Product,
        related_name="+",
        help_text="Jobs may upload to those of these that the client is granted.",
    )
    is_active = models.BooleanField(
        default=True,
        help_text="No: it accepts no job, and tokens issued through it are refused. The actions "
        "of the list change this.",
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

    @property
    def kind(self) -> IssuerKind:
        return IssuerKind(self.issuer.kind)

    @property
    def warnings(self) -> list[str]:
        """What an operator should know about the events that it names."""
        return event_warnings(self.kind, self.conditions)

    def clean(self) -> None:
        """Refuse illegal conditions; write down which events start the job where none is named."""
        refuse_controls(self, "name")
        if self.issuer_id is None:
            return  # the field says so
        identifying = self.issuer.identifying_claims
        if found := condition_problems(self.kind, self.conditions, identifying):
            raise ValidationError(
                [ValidationError(problem.sentence, code=problem.claim) for problem in found]
            )
        self.conditions = with_usual_events(self.kind, self.conditions, identifying)

    @property
    def identified_by(self) -> str:
        """The identifying part of the rule, for lists: `repository_id 74, ...`."""
        identifying = self.issuer.identifying_claims
        if condition_problems(self.kind, self.conditions, identifying):
            return "not valid: accepts nobody"
        claims = claims_of(self.kind, identifying).identifying
        return ", ".join(f"{claim} {self.conditions[claim][0]}" for claim in claims)


class UsedIdentityToken(models.Model):
    """An identity token that was taken, kept until it has expired, so that none is taken twice."""

    one_time_id = models.CharField(
        max_length=64,
        unique=True,
        help_text="SHA-256 of the issuer and `jti`, or of the signed text where there is none.",
    )
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.one_time_id
