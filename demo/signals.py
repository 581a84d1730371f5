"""Ends a run in order, whatever asks for it: Ctrl-C, SIGTERM, a closed terminal."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from demo.errors import Interrupted

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Turn the first ending signal into `Interrupted`; ignore more while things are stopped."""

    def interrupt(signal_number: int, _frame: FrameType | None) -> None:
        for ending in ENDING:
            signal.signal(ending, signal.SIG_IGN)
        raise Interrupted(signal_number)

    previous = {ending: signal.signal(ending, interrupt) for ending in ENDING}
    try:
        yield
    finally:
        for ending, handler in previous.items():
            signal.signal(ending, handler)
