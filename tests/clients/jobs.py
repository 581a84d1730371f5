"""A CI job: its own token, and the environment that docs/ci.rst gives one step."""

import subprocess
from pathlib import Path

from tests.clients.scene import KEEPER_SCRIPT, Scene

# As docs/ci.rst has it, then the environment of the shell for whoever starts programs in it.
STEP = """
sh "$KEEPER_SCRIPT" -K keeper.curl "$HOST/token?format=env&product=$PRODUCT$MORE" > lines
. ./lines
env -0
"""


def begin_job(scene: Scene, product: str, folder: Path, *, more: str = "") -> dict[str, str]:
    """Ask for a job token with the client's API key; the environment of a step of that job.

    `folder` is the job's own; `more` continues the query.
    """
    scene.write_curl_config(folder)
    asking = {
        "HOST": scene.uploader.url,
        "PRODUCT": product,
        "MORE": more,
        "TMPDIR": str(folder),
        "KEEPER_SCRIPT": str(KEEPER_SCRIPT),
    }
    shell = ["sh", "-euc", STEP]
    environment = scene.environment | asking
    done = subprocess.run(shell, env=environment, cwd=folder, capture_output=True, check=True)
    variables = done.stdout.decode().rstrip("\0").split("\0")
    return dict(variable.split("=", 1) for variable in variables)
