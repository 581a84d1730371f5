"""Skip an endpoint for a moment after a call to it timed out. Pure.

A thread that waits for a hanging store serves nobody else. Without this, callers beyond the number
of threads wait behind the timeouts of those before them.
"""

import time
from collections.abc import Callable, Hashable

COOLDOWN_SECONDS = 2.0


class Cooldown:
    """Which endpoints timed out less than `seconds` (two) ago. Safe to share between threads.

    It remembers one time per endpoint and process; losing it costs one more time-out.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, seconds: float = COOLDOWN_SECONDS
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._until: dict[Hashable, float] = {}

    def begin(self, endpoint: Hashable) -> None:
        """Note that a call to the endpoint timed out just now."""
        self._until[endpoint] = self._clock() + self._seconds

    def is_on(self, endpoint: Hashable) -> bool:
        return self._clock() < self._until.get(endpoint, 0.0)

    def clear(self) -> None:
        self._until.clear()
