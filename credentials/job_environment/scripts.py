"""`format=env`: lines for `eval` in a POSIX shell. Pure.

The secret is in no program's arguments: `export` is the shell's own, and files are written by
`cat` from its standard input. A shell that traces (`set -x`) does not show it either. A failure
leaves a profile that does not exist, so nothing else is used in its place, and a status that
`set -e` heeds.
"""

import base64
from collections.abc import Iterator

from credentials.job_environment.variables import (
    AWS_CONFIG,
    AWS_CREDENTIALS,
    FOLDER,
    HEEDED_WHEN_EMPTY,
    KEEPER_CURL,
    KEEPER_SCRIPT,
    MASKS_PROFILE,
    PROFILE,
    SCRIPT,
    TAKEN_AWAY,
    Step,
    StepDelivery,
    aws_config,
    credentials_curl,
    credentials_curl_name,
    keeper_curl,
    shell_word,
    single_line,
    values,
)

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
|| { echo 'ltdkeeper: no credentials, because a private folder could not be created' >&2; false; }
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
    return f"{QUIET}{environment_lines(step)}{AS_IT_WAS}"


def environment_lines(step: Step) -> str:
    """The same for a shell that is quiet already; ends with a status."""
    exports = (f"export {name}={shell_word(text)}\n" for name, text in values(step).items())
    placed = " ".join(f'{name}="{path}"' for name, path in IN_THE_FOLDER.items())
    return "".join(
        [
            "# One CI step's environment. Contains a job token: evaluate it, never print it.\n",
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


# `format=github`: the same, kept for the later steps of a GitHub Actions job.
#
# A runner takes environment variables from the file `$GITHUB_ENV` and commands such as
# `::add-mask::` from a step's output: two channels, so the answer is a script that writes to
# both. Variables can be set and emptied there, not taken away. (GitHub's documentation, "Workflow
# commands for GitHub Actions".)

NEEDS_GITHUB = """\
: "${GITHUB_ENV:?is not set: this is no step of GitHub Actions, ask for format=env}"
"""


def github_lines(step: Step, *, boundary: str) -> str:
    """The script, for `eval`. `boundary` is unpredictable and ends every value in the file."""
    return "".join(
        [
            QUIET,
            NEEDS_GITHUB,
            _mask(step),
            _refuse_what_cannot_be_emptied(step),
            _empty(),
            environment_lines(step),
            _keep(step, boundary),
            AS_IT_WAS,
        ]
    )


def _mask(step: Step) -> str:
    """The token, and how it looks in a Basic header, where LTD clients send it as the user name.
    Before anything else can print them.
    """
    token = step.token.reveal()
    pairs = (f"{step.client_name}:{token}", f"{token}:")
    basic = (base64.b64encode(pair.encode()).decode() for pair in pairs)
    lines = "".join(f"::add-mask::{single_line(text)}\n" for text in (token, *basic))
    return f"cat <<'{END}'\n{lines}{END}\n"


def _refuse_what_cannot_be_emptied(step: Step) -> str:
    if step.delivery is StepDelivery.CONTAINER:
        why = "is set for the job and would take precedence: use delivery=process"
        return "".join(_refuse(name, why) for name in HEEDED_WHEN_EMPTY)
    if len(step.product_slugs) > 1:
        return _refuse(
            MASKS_PROFILE,
            "is set for the job, so AWS_PROFILE could not select a product: unset it",
        )
    return ""


def _refuse(name: str, why: str) -> str:
    return f"""\
if [ -n "${{{name}+x}}" ]; then
  echo 'ltdkeeper: {name} {why}' >&2
  exit 1
fi
"""


def _empty() -> str:
    """Empty, for later steps, what is set in this one; what is set anew comes after it.

    An empty profile is an error to botocore: that one gets the step's own.
    """
    names = " ".join(name for name in TAKEN_AWAY if name != MASKS_PROFILE)
    return f"""\
for _ltd_name in {names}; do
  if eval "[ -n \\"\\${{$_ltd_name+x}}\\" ]"; then echo "$_ltd_name=" >> "$GITHUB_ENV"; fi
done
unset _ltd_name
if [ -n "${{{MASKS_PROFILE}+x}}" ]; then echo '{MASKS_PROFILE}={PROFILE}' >> "$GITHUB_ENV"; fi
"""


def _keep(step: Step, boundary: str) -> str:
    """What the shell has by now, if all went well, in the form for values of many lines."""
    names = [FOLDER, *dict.fromkeys([*values(step), *IN_THE_FOLDER])]
    lines = "".join(f"{name}<<{boundary}\n${{{name}}}\n{boundary}\n" for name in names)
    return f'[ "$?" = 0 ] && cat >> "$GITHUB_ENV" <<{END}\n{lines}{END}\n'
