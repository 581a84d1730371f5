"""The admin in a browser: every page looked at, and used by keyboard. What its modules share."""

from collections.abc import Mapping, Sequence

# The primary keys of rows to look at, by `app_model`.
Rows = Mapping[str, Sequence[str]]

USERNAME, PASSWORD = "ada", "correct horse battery staple"
# The variable with the time at which tests.browser.still stops the clock.
MOMENT = "LTD_TEST_MOMENT"
