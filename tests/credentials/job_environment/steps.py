"""A step to render, and what shells make of it."""

from typing import Any

from credentials.job_environment.variables import Endpoint, Step, StepDelivery
from credentials.rules.secret import Secret

TOKEN = "ltdj_" + "a1b2c3d4e5f6" + "_" + "0123456789abcdef" * 4
BOUNDARY = "ltd_0123456789abcdef"


def step(**fields: Any) -> Step:
    """An ordinary step, but for the fields that are given."""
    ordinary = {
        "host": "https://keeper.example.org",
        "client_name": "ci",
        "token": Secret(TOKEN),
        "product_slugs": ("handbook",),
        "store": Endpoint(region="eu-central-1"),
        "delivery": StepDelivery.PROCESS,
    }
    return Step(**ordinary | fields)  # type: ignore[arg-type]


def printed(*names: str) -> str:
    """A command that prints variables, each ended by NUL; those that are not set as `<unset>`."""
    words = " ".join(f'"${{{name}-<unset>}}"' for name in names)
    return f"printf '%s\\000' {words}\n"


def read(output: bytes) -> list[str]:
    """The values that `printed` printed."""
    return output.decode().split("\0")[:-1]
