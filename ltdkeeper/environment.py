"""Reads settings from the environment and from `.env`, strictly.

Every wrong value is collected, and all of them are reported at once: a line each, with the
variable, its value and an example. Secrets are never shown. A mistyped flag must never be taken
for "off", nor a mistyped name for a variable that is not set.
"""

import difflib
import ipaddress
import logging
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import validate_email

from builds.names import has_controls
from builds.validators import validate_endpoint
from credentials.rules.networks import is_network

T = TypeVar("T")

# The exit code of a command that could not do its work.
COULD_NOT_BE_MADE = 3
TRUE, FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}
SHOWN_CHARACTERS = 100
# A name this much like a setting's is taken for a typing error.
ALIKE = 0.8
# The environment of an uploader, which may share a shell with the service.
OTHERS = ("LTD_TEST_", "LTD_MASON_")
SECRET_KEY_LENGTH, SECRET_KEY_VARIETY = 50, 5
# Known to everybody, so it is taken under LTD_DEBUG only.
DEBUG_SECRET_KEY = "debug-only-" * 6
AUDIENCE_LENGTH = 255
# GitHub's own default: tokens that jobs ask for without naming an audience have it.
ANYBODYS_AUDIENCE = "https://github.com/"
# What jobs ask for to log in elsewhere: AWS, Azure, sigstore, PyPI, npm.
AUDIENCES_OF_OTHERS = {
    "sts.amazonaws.com",
    "api://AzureADTokenExchange",
    "sigstore",
    "pypi",
    "testpypi",
    "npm:registry.npmjs.org",
    "https://gitlab.com",
}
MAIL_SCHEMES = ("smtp", "smtp+tls", "smtp+ssl")
# A mail is sent at the end of a job, which must not hang on it.
MAIL_TIMEOUT_SECONDS = 10
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
ENCODING = "utf-8-sig"  # as some editors mark it
_ENV_LINE = re.compile(r"(?:export )?[A-Za-z_0-9]+=")
_HOST = re.compile(r"(?:\*|\.?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\Z", re.ASCII)
_STORE_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}\Z", re.ASCII)
_PASSWORD = re.compile(r"//.*@")
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}\Z", re.ASCII)


class SettingsError(ImproperlyConfigured):
    """What is wrong with the settings, a line for each variable."""


def end_with(lines: str) -> NoReturn:
    """End this process, saying why. Raises SystemExit."""
    print(lines, file=sys.stderr)  # noqa: T201 - without settings there is no log
    sys.exit(COULD_NOT_BE_MADE)


class Environment:
    """The variables, each read once by `ltdkeeper/settings.py`; then `require_right` is called."""

    def __init__(self, env_file: Path) -> None:
        self._wrong: dict[str, str] = {}
        self._known = {"LTD_ENV_FILE"}
        self._before = set(os.environ)
        self._read_file(env_file)

    def read(
        self,
        name: str,
        parse: Callable[[str], T],
        *,
        default: T,
        example: str,
        is_secret: bool = False,
    ) -> T:
        """A variable as `parse` takes it, which raises ValueError or ValidationError with why not.

        The default stands for one that is not set, and for a wrong one until the settings end.
        """
        self._known.add(name)
        text = os.environ.get(name)
        if text is None:
            return default
        try:
            return parse(text)
        except ValidationError as err:
            self.refuse(name, " ".join(err.messages), example, is_secret=is_secret)
        except ValueError as err:
            self.refuse(name, str(err), example, is_secret=is_secret)
        return default

    def refuse(self, name: str, why: str, example: str, *, is_secret: bool = False) -> None:
        """Note that a variable is wrong, and why; the first reason counts."""
        text = os.environ.get(name)
        shown = name if text is None or is_secret else f"{name}={_printable(text)}"
        line = f"{shown}: {why.rstrip('.')}. Example: {name}={example}"
        self._wrong.setdefault(name, line)

    def flag(self, name: str) -> bool:
        return self.read(name, _flag, default=False, example="true")

    def number(self, name: str, default: int, *, least: int, most: int) -> int:

        def parse(text: str) -> int:
            stripped = text.strip()
            if not _WHOLE_NUMBER.match(stripped) or not least <= int(stripped) <= most:
                raise ValueError(f"not a whole number from {least} to {most}")
            return int(stripped)

        return self.read(name, parse, default=default, example=str(min(max(default, least), most)))

    def choice(self, name: str, default: str, options: Sequence[str]) -> str:

        def parse(text: str) -> str:
            if text not in options:
                raise ValueError(f"not one of {', '.join(options)}")
            return text

        return self.read(name, parse, default=default, example=default)

    def text(
        self,
        name: str,
        default: str = "",
        *,
        rule: Callable[[str], None],
        example: str,
        is_required: bool = False,
        is_secret: bool = False,
    ) -> str:
        """A text that `rule` accepts. Where none is the default, an empty one is as good as none.

        `rule` raises ValueError or ValidationError.
        """

        def parse(text: str) -> str:
            if text or default or is_required:
                rule(text)
            return text

        if is_required and name not in os.environ:
            self.refuse(name, "not set", example)
        return self.read(name, parse, default=default, example=example, is_secret=is_secret)

    def pair(self, first: str, second: str) -> None:
        """Two variables of which none is of use alone; boto3 reads them."""
        for name, other in ((first, second), (second, first)):
            if os.environ.get(other) and not os.environ.get(name):
                self.refuse(name, f"not set, though {other} is", "...", is_secret=True)

    def is_any_set(self, prefix: str) -> bool:
        """Whether there is a variable whose name begins so, and which is not empty."""
        return any(value for name, value in os.environ.items() if name.startswith(prefix))

    def require_right(self) -> None:
        """Raises SettingsError when a variable was wrong, or a name is not that of a setting."""
        for name in sorted(os.environ):
            if name.upper().startswith("LTD_") and name not in self._known:
                self._judge_unknown(name)
        if self._wrong:
            raise SettingsError("\n".join(self._wrong.values()))

    def _judge_unknown(self, name: str) -> None:
        """Of the environment only what looks mistyped is ours; all of `.env` is."""
        is_ours = name not in self._before
        cutoff = 0.0 if is_ours else ALIKE
        nearest = [known for known in sorted(self._known) if _words(known) == _words(name)]
        nearest += difflib.get_close_matches(name.upper(), sorted(self._known), 1, cutoff)
        if nearest and not name.startswith(OTHERS):
            self._wrong[name] = f"{name}: there is no such setting. Did you mean {nearest[0]}?"

    def _read_file(self, default: Path) -> None:
        name = os.environ.get("LTD_ENV_FILE", "")
        if not name and not default.is_file():
            return
        file = Path(name) if name else default
        try:
            lines = file.read_text(encoding=ENCODING).splitlines()
        except (OSError, UnicodeDecodeError) as err:
            why = getattr(err, "strerror", None) or "not UTF-8"
            self.refuse("LTD_ENV_FILE", f"{file} cannot be read ({why})", "/etc/ltdkeeper.env")
            return
        for number, line in enumerate(lines, start=1):
            if line.strip() and not line.lstrip().startswith("#") and not _ENV_LINE.match(line):
                self._wrong[f"line {number}"] = f"{file}, line {number}: not NAME=value."
        # Of wrong lines the library would show all, secrets too.
        logging.getLogger(environ.environ.__name__).setLevel(logging.ERROR)
        environ.Env.read_env(file, encoding=ENCODING)


def _words(name: str) -> list[str]:
    """What a name is made of, in whatever order somebody remembers it, and in whatever case."""
    return sorted(re.findall("[A-Z0-9]+", name.upper().replace("REQUIRED", "REQUIRE")))


def _printable(text: str) -> str:
    """A value as it may be shown: in one line, not too long, without an address's password."""
    shown = _PASSWORD.sub("//***@", repr(text)[1:-1])
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}..."


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise ValueError("neither true nor false")
    return word in TRUE


def secret_key(text: str) -> None:
    """A rule: long, random, and not one that everybody knows."""
    if len(text) < SECRET_KEY_LENGTH or len(set(text)) < SECRET_KEY_VARIETY:
        raise ValueError("shorter than 50 characters, or hardly random")
    if text.startswith(("django-insecure-", DEBUG_SECRET_KEY)):
        raise ValueError("known to everybody")


def public_url(*, is_http_allowed: bool) -> Callable[[str], None]:
    """A rule: scheme and host that callers use; https, or http on this machine."""

    def rule(text: str) -> None:
        validate_endpoint(text.rstrip("/"))
        if text.startswith("http:") and not (is_http_allowed and is_loopback(text)):
            raise ValueError(
                "not https, though credentials travel on it; LTD_ALLOW_HTTP=true serves a "
                "loopback address only"
            )

    return rule


def https_url(text: str) -> None:
    """A rule: the address of a page over https, without user, query or fragment."""
    parts = urlsplit(text)
    validate_endpoint(f"{parts.scheme}://{parts.netloc}")
    if (
        parts.scheme != "https"
        or parts.query
        or parts.fragment
        or has_controls(text)
        or " " in text
    ):
        raise ValueError("not https://host/path without query and fragment")


def is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK


def audience(text: str) -> None:
    """A rule: a word that is this service's own, in identity tokens."""
    one_word(AUDIENCE_LENGTH)(text)
    if text.startswith(ANYBODYS_AUDIENCE) or text in AUDIENCES_OF_OTHERS:
        raise ValueError("a value that tokens for other services have too")


def host_names(text: str) -> list[str]:
    """Hosts as a `Host` header names them, without a port, separated by commas."""
    hosts = [host.strip() for host in text.split(",")]
    for host in hosts:
        if not _HOST.match(host) and not _is_ipv6(host):
            raise ValueError("not names of hosts, without scheme and port, separated by commas")
    return hosts


def host_of(url: str) -> list[str]:
    """The host of an address as a `Host` header names it; none of an empty one."""
    host = urlsplit(url).hostname
    return [f"[{host}]" if ":" in host else host] if host else []


def _is_ipv6(host: str) -> bool:
    try:
        return host[:1] + host[-1:] == "[]" and bool(ipaddress.IPv6Address(host[1:-1]))
    except ValueError:
        return False


def networks(text: str) -> list[str]:
    """Networks in CIDR notation, or single addresses, separated by commas."""
    found = [each.strip() for each in text.split(",") if each.strip()]
    if not all(map(is_network, found)):
        raise ValueError("not networks such as 10.20.0.0/16, separated by commas")
    return found


def store_name(text: str) -> None:
    """A rule: what a store may be called in the database."""
    if not _STORE_NAME.match(text):
        raise ValueError("not 1 to 50 letters, digits, - and _")


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
    found: dict[str, object] = environ.Env.email_url_config(url) if scheme in MAIL_SCHEMES else {}
    if not found.get("EMAIL_HOST") or "OPTIONS" in found:
        raise ValueError(f"not {', '.join(MAIL_SCHEMES)} with a host, without a query")
    return found | {"EMAIL_TIMEOUT": MAIL_TIMEOUT_SECONDS}


def existing(kind: Callable[[Path], bool], what: str) -> Callable[[str], None]:
    """A rule: a path where there is one of a kind."""

    def rule(text: str) -> None:
        if not kind(Path(text)):
            raise ValueError(f"there is no such {what}")

    return rule


def pinned(text: str) -> None:
    """A rule: a repository and a commit of it."""
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+@[\w.-]+", text, re.ASCII):
        raise ValueError("not a repository and the hash of a commit, joined by @")


def one_word(longest: int) -> Callable[[str], None]:
    """A rule: printable ASCII without spaces, as a header or an AWS profile can carry it."""

    def rule(text: str) -> None:
        if not re.fullmatch(rf"[!-~]{{1,{longest}}}", text):
            raise ValueError(f"not 1 to {longest} printable ASCII characters without spaces")

    return rule
