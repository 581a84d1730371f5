"""How long a session lives, in seconds, how long issuing one can take, and in which years. Pure."""

from dataclasses import dataclass
from datetime import timedelta

from credentials.errors import DurationOutOfRange

# A time that names a session lies in these: none is older, and the calendar ends at 9999.
YEARS = range(2020, 3000)

SESSION_MINIMUM = 900
# botocore refreshes from 15 minutes before the end on: with less than this, it asks at every call.
REFRESHING_MINIMUM = 1800
# Nor is one served again with this or less left: a minute above those 15.
REFRESHING_FLOOR = 960
# The longest that issuing can take: two STS attempts, two lock waits, and room.
STUCK_AFTER = timedelta(minutes=2)
# What comes later is withheld: clocks of hosts may differ by a minute, and what is stuck stays so.
COMPLETED_WITHIN = STUCK_AFTER / 2


@dataclass(frozen=True, kw_only=True)
class DurationLimits:
    """What decides: the product's own duration (None: not set), the service's default, the
    role's longest session. A product's duration is both its default and its ceiling.
    """

    product_seconds: int | None
    default_seconds: int
    role_max_seconds: int

    @property
    def longest(self) -> int:
        """The most that may be asked for."""
        return min(self.product_seconds or self.role_max_seconds, self.role_max_seconds)

    @property
    def usual(self) -> int:
        """What is given when nothing is asked for."""
        return max(SESSION_MINIMUM, min(self.product_seconds or self.default_seconds, self.longest))

    @property
    def refreshing(self) -> int:
        """What refreshing deliveries are given at least, as far as the role allows it."""
        return min(max(self.usual, REFRESHING_MINIMUM), self.role_max_seconds)

    def presigned(self, wanted_seconds: int) -> int:
        """What a session that signs for others is given: as much of the setting as is allowed."""
        return max(SESSION_MINIMUM, min(wanted_seconds, self.longest))

    def choose(self, asked_seconds: int | None) -> int:
        """The duration to ask of STS. Raises DurationOutOfRange."""
        if asked_seconds is None:
            return self.usual
        if not SESSION_MINIMUM <= asked_seconds <= self.longest:
            raise DurationOutOfRange(
                f"duration_seconds must be {SESSION_MINIMUM} to {self.longest}."
            )
        return asked_seconds
