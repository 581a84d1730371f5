"""The CI providers whose identity tokens are known, and where their keys are. Pure.

GitHub: "OpenID Connect reference" (docs.github.com); GitLab: "OpenID Connect (OIDC) authentication
using ID tokens" (docs.gitlab.com), and the `jwks_uri` of their discovery documents. Nothing is
discovered at run time: an address is fetched only when it stands in a row.
"""

import re
from enum import StrEnum
from urllib.parse import urlsplit

# No control character, space, quote or backslash: what is stored is what is fetched.
_ADDRESS = re.compile(r"https://[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]+\Z")


class IssuerKind(StrEnum):
    """Who issues: it decides which claims a rule may name."""

    GITHUB = "github"
    GITLAB = "gitlab"
    OTHER = "other"


ISSUERS = {
    IssuerKind.GITHUB: "https://token.actions.githubusercontent.com",
    IssuerKind.GITLAB: "https://gitlab.com",
}
KEYS_BELOW_ISSUER = {
    IssuerKind.GITHUB: "/.well-known/jwks",
    IssuerKind.GITLAB: "/oauth/discovery/keys",
}


def default_issuer(kind: IssuerKind) -> str:
    """The issuer of the provider's public service; empty where there is none."""
    return ISSUERS.get(kind, "")


def default_jwks_url(kind: IssuerKind, issuer: str) -> str:
    """Where a provider of a kind has its keys, as its `issuer` goes; empty where unknown."""
    below = KEYS_BELOW_ISSUER.get(kind)
    return issuer.rstrip("/") + below if below and issuer else ""


def is_https_address(text: str) -> bool:
    """Whether a text is an https address with a host, and neither credentials nor a fragment."""
    if not _ADDRESS.match(text):
        return False
    try:
        parts = urlsplit(text)
        has_legal_port = parts.port != 0
    except ValueError:
        return False
    return bool(parts.hostname) and "@" not in parts.netloc and "#" not in text and has_legal_port
