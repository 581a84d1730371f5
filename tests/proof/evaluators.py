"""IAM evaluators that others wrote, each a child process that answers lists of questions."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from demo.processes import ROOT

STORE_PYTHON = ROOT / ".venv-store" / "bin" / "python"
STORE_PROGRAM = Path(__file__).with_name("store_evaluator.py")
SIMULATOR_PROGRAM = ROOT / ".build" / "simulator" / "answer.js"
NODE = shutil.which("node") or "node"

STORE = (str(STORE_PYTHON), str(STORE_PROGRAM))
SIMULATOR = (NODE, str(SIMULATOR_PROGRAM))


@dataclass(frozen=True, kw_only=True)
class Question:
    """May a session do this? Policies are JSON; without `session` the role is not narrowed."""

    role: str
    boundary: str
    session: str
    action: str
    resource: str
    context: dict[str, str] = field(default_factory=dict)


class Evaluator:
    """Asks one program, which reads and writes JSON lines and ends with its standard input."""

    def __init__(self, command: Sequence[str], *, log: Path) -> None:
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._log = log
        with log.open("ab") as log_file:
            self._process = subprocess.Popen(
                command,
                env=environment,
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log_file,
                text=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def answers(self, questions: Sequence[Question]) -> list[bool | str]:
        """True, False, or a sentence where the program finds the question itself invalid."""
        assert self._process.stdin
        assert self._process.stdout
        print(
            json.dumps([asdict(question) for question in questions]),
            file=self._process.stdin,
            flush=True,
        )
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the evaluator ended: {self._log.read_text()[-2000:]}")
        found: list[bool | str] = json.loads(line)
        assert len(found) == len(questions)
        return found
