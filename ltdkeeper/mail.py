"""Where mail goes out, from the address of a server in one variable."""

import environ
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

EXAMPLE = "smtp+tls://keeper:...@mail.example.org:587"
SCHEMES = ("smtp", "smtp+tls", "smtp+ssl")
# A mail is sent at the end of a job, which must not hang on it.
TIMEOUT_SECONDS = 10


def mail_address(text: str) -> None:
    """A rule: the address of one mailbox."""
    try:
        validate_email(text)
    except ValidationError as err:
        raise ValueError("not a mail address") from err


def mail_addresses(text: str) -> list[str]:
    """Several of them, separated by commas. Raises ValueError."""
    found = [address.strip() for address in text.split(",")]
    for address in found:
        mail_address(address)
    return found


def mail_server(url: str) -> dict[str, object]:
    """Django's settings for the server that takes mail. Raises ValueError."""
    scheme = url.partition("://")[0]
    found: dict[str, object] = environ.Env.email_url_config(url) if scheme in SCHEMES else {}
    if not found.get("EMAIL_HOST") or "OPTIONS" in found:
        raise ValueError(f"not {', '.join(SCHEMES)} with a host, without a query")
    return found | {"EMAIL_TIMEOUT": TIMEOUT_SECONDS}
