"""Which environment variables a step gets, and which are unset first. Pure.

The order in which SDKs look for credentials: static keys in the environment, web identity, the
shared credentials file, a profile's process, container addresses, instance metadata. Read in
botocore 1.44.5 (`credentials.py`, `create_credential_resolver`); the other SDKs differ in detail.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from credentials.rules.secret import Secret


class StepDelivery(StrEnum):
    """How SDKs come for credentials: a program they start, or an address they ask."""

    PROCESS = "process"
    CONTAINER = "container"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a store is for uploaders. `endpoint_url` is empty on AWS."""

    region: str
    endpoint_url: str = ""
    addressing: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Step:
    """A job token and what it is for. `product_slugs` has at least one; the first leads."""

    host: str
    client_name: str
    token: Secret
    product_slugs: tuple[str, ...]
    store: Endpoint
    delivery: StepDelivery

    @property
    def authorization(self) -> str:
        """The `Authorization` header's value, scheme included."""
        return f"Bearer {self.token.reveal()}"

    def credentials_url(self, product_slug: str) -> str:
        """Where SDKs come for credentials for the job's open build of a product."""
        return f"{self.host}/credentials?product={product_slug}&delivery={self.delivery}"


# Texts as four readers take them literally: a POSIX shell, curl, AWS SDKs, a GitHub runner.
#
# The values come from settings and names that are checked already. None is trusted here all the
# same: what cannot be written is refused, never sent on in another form.

_PLAIN = re.compile(r"[A-Za-z0-9._-]+\Z", re.ASCII)


class Unquotable(ValueError):
    """The reader has no way to write this text."""


def shell_word(text: str) -> str:
    """One word of a POSIX shell that expands to exactly the text, newlines included."""
    if "\0" in text:
        raise Unquotable("a shell's words cannot hold NUL")
    quoted = shlex.quote(text)
    # zsh takes a bare =name for the path of a command.
    return f"'{text}'" if quoted.startswith("=") else quoted


def single_line(text: str) -> str:
    """The text itself, for readers that take a line as it is; without control characters."""
    if not text.isprintable():
        raise Unquotable("a line cannot hold control characters")
    return text


def curl_value(text: str) -> str:
    """A value of a file for `curl --config`, in double quotes.

    curl reads `\\"` and `\\\\` in them (curl's manual, --config).
    """
    escaped = single_line(text).replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


def plain(text: str) -> str:
    """The text itself, for readers that have no quoting: AWS config files."""
    if not _PLAIN.match(text):
        raise Unquotable("only letters, digits, '.', '_' and '-' can be written here")
    return text


# The files of a step's private folder: curl's and the AWS SDKs'.
#
# The AWS config file names the folder, which the shell makes later; so its text is one that the
# shell still expands, and holds nothing else that a shell would.

FOLDER = "LTD_JOB_FOLDER"
PROFILE = "ltd"
AWS_CONFIG, AWS_CREDENTIALS, KEEPER_CURL = "aws-config", "aws-credentials", "keeper.curl"
KEEPER_SCRIPT = "keeper.sh"

CURL_OPTIONS = ("silent", "show-error", "max-time = 20")

# The same as docs/examples/keeper.sh. The body goes to a file, since curl cannot take back what it
# wrote to standard output when it tries again, and before 7.76 shows no body of a refusal.
SCRIPT = """\
# sh keeper.sh ARGUMENTS OF CURL: a response goes to standard output. A refusal goes to standard
# error, as does a redirect, and the exit code is not 0. Any curl will do.
umask 077
body=$(mktemp) || exit
trap 'rm -f "$body"' EXIT
trap 'exit 143' HUP INT TERM
code=$(curl -q "$@" --silent --show-error --no-fail --retry 3 --retry-max-time 30 \\
    --output "$body" --write-out '%{http_code}')
status=$?
case $status:$code in 0:2*) cat "$body"; exit ;; esac
cat "$body" >&2
echo >&2
[ "$status" != 0 ] || status=22
exit "$status"
"""


def keeper_curl(step: Step) -> str:
    """For a step's own calls to the service: `sh "$LTD_CALL" -K "$LTD_CURL" ...`."""
    return _lines(*CURL_OPTIONS, _header(step), 'header = "Content-Type: application/json"')


def credentials_curl(step: Step, product_slug: str) -> str:
    """For `credential_process`: the whole request, so that no argument holds the token."""
    address = curl_value(step.credentials_url(product_slug))
    return _lines(*CURL_OPTIONS, _header(step), f"url = {address}")


def credentials_curl_name(product_slug: str) -> str:
    """The file's name in the folder."""
    return f"{PROFILE}-{plain(product_slug)}.curl"


def aws_config(step: Step) -> str:
    """Profile `ltd` for the first product, and `ltd-<slug>` for each; `$LTD_JOB_FOLDER` in it.

    Where SDKs ask an address, the profile has no credentials: only how to reach the store.
    """
    first = step.product_slugs[0]
    sections = [_profile(step, PROFILE, first)]
    if step.delivery is StepDelivery.PROCESS:
        sections += [_profile(step, f"{PROFILE}-{plain(s)}", s) for s in step.product_slugs]
    return "".join(sections)


def _profile(step: Step, name: str, product_slug: str) -> str:
    lines = [f"[profile {name}]", f"region = {plain(step.store.region)}"]
    if step.delivery is StepDelivery.PROCESS:
        file = f"${FOLDER}/{credentials_curl_name(product_slug)}"
        lines.append(f"credential_process = sh ${FOLDER}/{KEEPER_SCRIPT} --config {file}")
    if step.store.addressing != "auto":
        lines += ["s3 =", f"    addressing_style = {plain(step.store.addressing)}"]
    return _lines(*lines)


def _header(step: Step) -> str:
    return f"header = {curl_value(f'Authorization: {step.authorization}')}"


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


NOTHING = "/dev/null"

# What would win over the profile or the address that is set afterwards.
TAKEN_AWAY = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCESS_KEY",  # Go and Java take these two as well
    "AWS_SECRET_KEY",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_DEFAULT_PROFILE",
    "LTD_AWS_ID",  # static keys of LTD's uploaders
    "LTD_AWS_SECRET",
    "LTD_MASON_AWS_ID",
    "LTD_MASON_AWS_SECRET",
    "LTD_MASON_AWS_PROFILE",
)

# Of those, what botocore heeds even when it is empty, once container addresses are used. Where
# variables can only be emptied, their being set is an error.
HEEDED_WHEN_EMPTY = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)

# botocore reads this before AWS_PROFILE, even when it is empty: while it is set, AWS_PROFILE has no
# effect (`configprovider.py`, BOTOCORE_DEFAUT_SESSION_VARIABLES).
MASKS_PROFILE = "AWS_DEFAULT_PROFILE"

# Set to what turns them off, since an empty profile or file name is an error to botocore. The
# profile does not exist until the folder does: whatever fails in between leaves no other way in.
TURNED_OFF = {
    "AWS_PROFILE": PROFILE,
    "AWS_CONFIG_FILE": NOTHING,
    "AWS_SHARED_CREDENTIALS_FILE": NOTHING,
    "AWS_CREDENTIAL_FILE": NOTHING,
    "BOTO_CONFIG": NOTHING,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
    "AWS_SDK_LOAD_CONFIG": "1",  # else Go's old SDK does not read the config file
}


def values(step: Step) -> Mapping[str, str]:
    """The variables that do not depend on the folder."""
    return {
        **TURNED_OFF,
        "LTD_HOST": step.host,
        "LTD_USERNAME": step.client_name,
        "LTD_PASSWORD": step.token.reveal(),
        "LTD_PRODUCT": step.product_slugs[0],
        "LTD_KEEPER_URL": step.host,  # ltd-mason's names
        "LTD_KEEPER_USER": step.client_name,
        "LTD_KEEPER_PASSWORD": step.token.reveal(),
        "AWS_REGION": step.store.region,
        "AWS_DEFAULT_REGION": step.store.region,
        **_endpoint(step),
        **_container(step),
    }


def _endpoint(step: Step) -> Mapping[str, str]:
    """None on AWS: the region says it. Some programs know one of the names only."""
    address = step.store.endpoint_url
    return {"AWS_ENDPOINT_URL": address, "AWS_ENDPOINT_URL_S3": address} if address else {}


def _container(step: Step) -> Mapping[str, str]:
    if step.delivery is not StepDelivery.CONTAINER:
        return {}
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": step.credentials_url(step.product_slugs[0]),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": step.authorization,
    }
