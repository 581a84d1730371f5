"""Signing in to the admin at an organisation's own issuer, by OpenID Connect.

Off unless `LTD_ADMIN_OIDC_...` is set. mozilla-django-oidc goes through the authorization code flow
with state, nonce and PKCE. What it leaves open is decided here: the ID token is verified like every
other identity token (RS256, issuer, audience, times), an account is found by issuer and subject and
never by its e-mail address, and rights come from a claim: without one of the groups, sign-in is
refused.
"""

import re
import ssl
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import jwt
import requests
import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare, get_random_string
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import (
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
)

from builds.errors import DomainError
from credentials.access.clients import log_action
from credentials.access.identity_tokens import LEEWAY, keys_at, read_unverified
from credentials.models import PersonIdentity
from ltdkeeper.admin.login import MET

ALGORITHMS = ["RS256"]
REQUIRED = ["iss", "sub", "aud", "iat", "exp", "nonce"]
TIMEOUT_SECONDS = 5
LONGEST_SUBJECT = 255
LONGEST_USERNAME = 140
# Groups are looked at when somebody signs in, so a login ends after a day's work.
SIGNED_IN_FOR = timedelta(hours=12)
NOT_IN_USERNAMES = re.compile(r"[^\w.@+-]")

log = structlog.get_logger(__name__)


class SignInRefused(Exception):
    """Why nobody was signed in: for the log and the person, without a word of the issuer's."""


class OidcBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    """From the issuer's response to an account."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        """None for all but the response to a sign-in that was begun here."""
        if request is None or not (credentials.get("nonce") and credentials.get("code_verifier")):
            return None
        try:
            user: User | None = super().authenticate(request, **credentials)
        except SignInRefused as err:
            log.warning("sign_in_refused", reason=str(err))
            messages.error(request, f"You are not signed in. {err}")
            return None
        return user

    def get_user(self, user_id: int) -> Any:
        """None for a disabled account, whose logins end with that."""
        return ModelBackend.get_user(self, user_id)

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The issuer's response to the code. A refusal is not shown: it may hold the code."""
        try:
            response = requests.post(
                settings.OIDC_OP_TOKEN_ENDPOINT,
                data={**payload, "redirect_uri": callback_url()},
                timeout=TIMEOUT_SECONDS,
                verify=ssl.get_default_verify_paths().cafile or True,  # as for its keys
                allow_redirects=False,
            )
            answer = response.json() if response.status_code == requests.codes.ok else None
        except (requests.RequestException, ValueError) as err:
            raise SignInRefused("The issuer returned an unexpected response.") from err
        if not isinstance(answer, dict) or not isinstance(answer.get("id_token"), str):
            raise SignInRefused("The issuer returned no ID token.")
        return answer

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """The claims of an ID token that the issuer signed for this service and this sign-in."""
        try:
            _, key_id = read_unverified(token)
            claims: dict[str, Any] = jwt.decode(
                token,
                key=keys_at(settings.OIDC_OP_JWKS_ENDPOINT).find(key_id),
                algorithms=ALGORITHMS,
                audience=settings.OIDC_RP_CLIENT_ID,
                issuer=settings.LTD_ADMIN_OIDC_ISSUER,
                leeway=LEEWAY,
                options={"require": REQUIRED, "enforce_minimum_key_length": True},
            )
        except (DomainError, jwt.PyJWTError) as err:
            raise SignInRefused("The issuer's ID token cannot be verified.") from err
        if not constant_time_compare(str(claims["nonce"]), str(kwargs["nonce"])):
            raise SignInRefused("The issuer's ID token belongs to another sign-in.")
        ours = settings.OIDC_RP_CLIENT_ID
        is_for_us_alone = claims["aud"] in (ours, [ours])
        if claims.get("azp", ours if is_for_us_alone else "") != ours:
            raise SignInRefused("The issuer's ID token is for another client.")
        if not 0 < len(claims["sub"]) <= LONGEST_SUBJECT:
            raise SignInRefused("The issuer's ID token has no usable subject.")
        return claims

    def get_or_create_user(
        self, access_token: str, id_token: str, payload: dict[str, Any]
    ) -> User | None:
        """The account of a verified ID token. The issuer is asked for nothing else."""
        return sign_in(claims=payload)


def sign_in(*, claims: Mapping[str, Any]) -> User:
    """The account of issuer and subject, made if missing. Raises SignInRefused without a group."""
    names = granted_groups(claims)
    with transaction.atomic():
        identity = (
            PersonIdentity.objects.select_related("user")
            .filter(issuer=claims["iss"], subject=claims["sub"])
            .first()
        )
        if identity is None and names:
            identity = _new_identity(claims)
        if identity is not None:
            _set_groups(identity.user, names)
    if not names or identity is None:
        raise SignInRefused("You are in none of the groups that may use this admin.")
    return identity.user


def granted_groups(claims: Mapping[str, Any]) -> set[str]:
    """The groups of this service that the claim's values stand for."""
    values = claims.get(settings.LTD_ADMIN_OIDC_GROUPS_CLAIM)
    values = values if isinstance(values, list) else [values]
    return {name for name, value in settings.LTD_ADMIN_OIDC_GROUPS.items() if value in values}


def _new_identity(claims: Mapping[str, Any]) -> PersonIdentity:
    user = User(username=_free_username(claims), email=str(claims.get("email") or "")[:254])
    user.set_unusable_password()
    user.save()
    return PersonIdentity.objects.create(user=user, issuer=claims["iss"], subject=claims["sub"])


def _free_username(claims: Mapping[str, Any]) -> str:
    """What the issuer calls the person; with an ending if another account is called so."""
    wanted = str(claims.get("preferred_username") or claims["sub"])
    name = NOT_IN_USERNAMES.sub("-", wanted)[:LONGEST_USERNAME]
    is_taken = User.objects.filter(username=name).exists()
    return f"{name}-{get_random_string(6)}" if is_taken else name


def _set_groups(user: User, names: set[str]) -> None:
    """Give these of the three groups, take the others; accounts in none are no staff."""
    ours = Group.objects.filter(name__in=settings.LTD_ADMIN_OIDC_GROUPS)
    before = set(user.groups.filter(pk__in=ours).values_list("name", flat=True))
    if before == names and user.is_staff == bool(names):
        return
    user.groups.remove(*ours.exclude(name__in=names))
    user.groups.add(*ours.filter(name__in=names))
    user.is_staff = bool(names)
    user.save(update_fields=["is_staff"])
    said = f"Signed in at the issuer: {', '.join(sorted(names)) or 'no group'}."
    log_action(user, user, CHANGE, said)


def callback_url() -> str:
    """Where the issuer sends people back to, as it has to be registered there."""
    return f"{settings.LTD_PUBLIC_URL}{reverse('admin:oidc_callback')}"


class WhereSet:
    """Keeps a view away where no issuer is set."""

    def setup(self, *args: Any, **kwargs: Any) -> None:
        if not settings.LTD_ADMIN_OIDC_ISSUER:
            raise Http404
        super().setup(*args, **kwargs)  # type: ignore[misc]


class SignInView(WhereSet, OIDCAuthenticationRequestView):  # type: ignore[misc]
    """Sends a person to the issuer."""

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        return {"redirect_uri": callback_url()}


class CallbackView(WhereSet, OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Takes the person back, and logs them in. A response that nobody waits for does nothing."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.GET.get("state") not in request.session.get("oidc_states", {}):
            return HttpResponseRedirect(self.failure_url)
        response: HttpResponse = super().get(request)
        return response

    def login_success(self) -> HttpResponse:
        response: HttpResponse = super().login_success()
        self.request.session[MET] = True
        self.request.session.set_expiry(SIGNED_IN_FOR)
        return response
