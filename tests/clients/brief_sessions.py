"""Settings of a service whose sessions live for seconds: 1800, 960 and 900 s divided by 300.

`uploads/slowly.py` divides botocore's own windows alike, so that what happens in hours happens in
seconds. Only a test's child process runs with them.
"""

from credentials.rules import durations

SCALE = 300
durations.REFRESHING_MINIMUM = 1800 // SCALE
# And a second, which `Expiration` loses to its fraction: that does not shrink with the rest.
durations.REFRESHING_FLOOR = 960 / SCALE + 1

from tests.store.short_sessions import *  # noqa: E402, F403

LTD_SESSION_SECONDS = durations.REFRESHING_MINIMUM
