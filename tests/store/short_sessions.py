"""Settings of a service that issues sessions of seconds, so that a real expiry can be waited for.

Only a test's child process runs with them: production reads no setting that lowers the floor.
"""

from credentials.rules import durations

durations.SESSION_MINIMUM = 1

from ltdkeeper.settings import *  # noqa: E402, F403
from ltdkeeper.settings import DATABASES  # noqa: E402

# The ledger refuses such durations as well. SQLite's own switch, for this process's connections.
DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA ignore_check_constraints=ON;"
