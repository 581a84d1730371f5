"""The files of a step's private folder: curl's and the AWS SDKs'. Pure.

The AWS config file names the folder, which the shell makes later; so its text is one that the
shell still expands, and holds nothing else that a shell would.
"""

from credentials.handout.facts import Step, StepDelivery
from credentials.handout.quoting import curl_value, plain

FOLDER = "LTD_JOB_FOLDER"
PROFILE = "ltd"
AWS_CONFIG, AWS_CREDENTIALS, KEEPER_CURL = "aws-config", "aws-credentials", "keeper.curl"
KEEPER_SCRIPT = "keeper.sh"

CURL_OPTIONS = ("silent", "show-error", "max-time = 20")

# The same as docs/examples/keeper.sh. The body goes to a file, since curl cannot take back what it
# wrote to standard output when it tries again, and before 7.76 shows no body of a refusal.
SCRIPT = """\
# sh keeper.sh ARGUMENTS OF CURL: an answer goes to standard output. A refusal goes to standard
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
