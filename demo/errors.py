"""What can go wrong in a demonstration, told so that the reader knows what to do."""


class DemoError(Exception):
    """A sentence for the person at the terminal; it ends the run."""


class Interrupted(BaseException):
    """A signal asked this process to end. Carries the exit code of that signal."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.exit_code = 128 + signal_number
