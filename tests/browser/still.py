"""The service at a moment that does not pass: `granian ... tests.browser.still:application`."""

import os

import time_machine

from tests.browser import MOMENT

time_machine.travel(os.environ[MOMENT], tick=False).start()

from ltdkeeper.wsgi import application  # noqa: E402

__all__ = ["application"]
