"""CI jobs: one with a token and environment of its own (docs/how-to/ci.rst), ltdkeeper-upload."""

import subprocess
from pathlib import Path

from demo.processes import ROOT
from tests.clients.programs import UPLOADS, executable
from tests.clients.scene import KEEPER_SCRIPT, PRODUCT, Scene

# As docs/how-to/ci.rst has it, then the environment of the shell for whoever starts programs in it.
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


UPLOAD, SLOWLY = ["-m", "ltdkeeper_upload"], [str(UPLOADS / "upload_slowly.py")]


def uploader(*arguments: str) -> list[str]:
    """Python as ltdkeeper-upload needs it: `UPLOAD` or `SLOWLY`, and what follows."""
    return [executable("ltdkeeper-upload"), *arguments]


def upload_job(scene: Scene) -> dict[str, str]:
    """For ltdkeeper-upload: an API key, and settings of AWS that lead elsewhere."""
    return scene.environment | {
        "PYTHONPATH": str(ROOT / "client"),
        "LTDKEEPER_URL": scene.uploader.url,
        "LTDKEEPER_API_KEY": scene.api_key,
        "LTDKEEPER_PRODUCT": PRODUCT,
        "CI_COMMIT_REF_NAME": "main",
        "AWS_ACCESS_KEY_ID": "AKIAOFTHERUNNER",
        "AWS_SECRET_ACCESS_KEY": "of-the-runner",
        "AWS_PROFILE": "missing",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
