"""`format=env`: lines for `eval` in a POSIX shell. Pure.

The secret is in no program's arguments: `export` is the shell's own, and files are written by
`cat` from its standard input. A shell that traces (`set -x`) does not show it either. A failure
leaves a profile that does not exist, so nothing else is used in its place, and a status that
`set -e` heeds.
"""

from collections.abc import Iterator

from credentials.handout.facts import Step, StepDelivery
from credentials.handout.files import (
    AWS_CONFIG,
    AWS_CREDENTIALS,
    FOLDER,
    KEEPER_CURL,
    KEEPER_SCRIPT,
    SCRIPT,
    aws_config,
    credentials_curl,
    credentials_curl_name,
    keeper_curl,
)
from credentials.handout.quoting import shell_word
from credentials.handout.variables import TAKEN_AWAY, values

# What the folder's variables are set to; the shell expands it.
IN_THE_FOLDER = {
    "AWS_CONFIG_FILE": f"${FOLDER}/{AWS_CONFIG}",
    "AWS_SHARED_CREDENTIALS_FILE": f"${FOLDER}/{AWS_CREDENTIALS}",
    "LTD_CURL": f"${FOLDER}/{KEEPER_CURL}",
    "LTD_CALL": f"${FOLDER}/{KEEPER_SCRIPT}",
}
# No line of any file is this.
END = "LTDKEEPER"

# AWS config files have no quoting that all SDKs agree on: the folder's path must be plain.
MAKE_FOLDER = f"""\
for _ltd_base in "${{RUNNER_TEMP:-}}" "${{TMPDIR:-}}" /tmp; do
  case $_ltd_base in *[!A-Za-z0-9/._-]*) ;; /*) break ;; esac
done
{FOLDER}=$(umask 077 && mktemp -d "$_ltd_base/ltdkeeper.XXXXXXXXXX") &&
export {FOLDER} && unset _ltd_base &&
"""
# With curl alone, a refusal goes to standard output where curl can show it: from 7.76 on.
FAIL = f"""\
if curl -q --fail-with-body --version > /dev/null 2>&1; then echo fail-with-body; else echo fail
fi >> "${FOLDER}/{KEEPER_CURL}" &&
"""
FAILED = """\
|| { echo 'ltdkeeper: no private folder could be made, so there are no credentials' >&2; false; }
"""


# The shell neither traces nor echoes what stands in between, and goes on as it was.
QUIET = """\
{ _ltd_options=$-; set +vx; } 2> /dev/null
"""
_AS_IT_WAS = """\
case $_ltd_options in *v*) set -v ;; esac; case $_ltd_options in *x*) set -x ;; esac
"""
AS_IT_WAS = f"""\
if [ "$?" = 0 ]; then {_AS_IT_WAS}else {_AS_IT_WAS}false; fi
"""


def shell_lines(step: Step) -> str:
    """Everything, as one text."""
    return f"{QUIET}{environment_lines(step)}{AS_IT_WAS}"


def environment_lines(step: Step) -> str:
    """The same for a shell that is quiet already; ends with a status."""
    exports = (f"export {name}={shell_word(text)}\n" for name, text in values(step).items())
    placed = " ".join(f'{name}="{path}"' for name, path in IN_THE_FOLDER.items())
    return "".join(
        [
            "# One CI step's environment. Holds a job token: evaluate it, never print it.\n",
            f"unset {' '.join(TAKEN_AWAY)}\n",
            *exports,
            MAKE_FOLDER,
            *_files(step),
            f"export {placed} ",
            FAILED,
        ]
    )


def _files(step: Step) -> Iterator[str]:
    """Commands that write the folder's files, each for its owner only from the first moment."""
    yield _write(KEEPER_SCRIPT, f"<<'{END}'", SCRIPT)
    yield _write(KEEPER_CURL, f"<<'{END}'", keeper_curl(step))
    yield FAIL
    if step.delivery is StepDelivery.PROCESS:
        for slug in step.product_slugs:
            yield _write(credentials_curl_name(slug), f"<<'{END}'", credentials_curl(step, slug))
    yield _write(AWS_CREDENTIALS, f"<<'{END}'", "")
    yield _write(AWS_CONFIG, f"<<{END}", aws_config(step))


def _write(name: str, opening: str, text: str) -> str:
    return f'(umask 077 && cat > "${FOLDER}/{name}") {opening} &&\n{text}{END}\n'
