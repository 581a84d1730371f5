"""`format=github`: the same, kept for the later steps of a GitHub Actions job. Pure.

A runner takes environment variables from the file `$GITHUB_ENV` and commands such as
`::add-mask::` from a step's output: two channels, so the answer is a script that writes to both.
Variables can be set and emptied there, not taken away. (GitHub's documentation, "Workflow commands
for GitHub Actions".)
"""

import base64

from credentials.handout.facts import Step, StepDelivery
from credentials.handout.files import FOLDER, PROFILE
from credentials.handout.quoting import single_line
from credentials.handout.shell import (
    AS_IT_WAS,
    END,
    IN_THE_FOLDER,
    QUIET,
    environment_lines,
)
from credentials.handout.variables import HEEDED_WHEN_EMPTY, MASKS_PROFILE, TAKEN_AWAY, values

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
    """The token, and how it looks in a Basic header. Before anything else can print them."""
    token = step.token.reveal()
    basic = base64.b64encode(f"{step.client_name}:{token}".encode()).decode()
    lines = "".join(f"::add-mask::{single_line(text)}\n" for text in (token, basic))
    return f"cat <<'{END}'\n{lines}{END}\n"


def _refuse_what_cannot_be_emptied(step: Step) -> str:
    if step.delivery is StepDelivery.CONTAINER:
        why = "is set for the job and would win: ask for delivery=process"
        return "".join(_refuse(name, why) for name in HEEDED_WHEN_EMPTY)
    if len(step.product_slugs) > 1:
        return _refuse(
            MASKS_PROFILE,
            "is set for the job, so that AWS_PROFILE could not choose a product: remove it",
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
