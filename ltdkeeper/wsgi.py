"""The WSGI application. It refuses to start on wrong settings, and starts warm."""

import os

from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ltdkeeper.settings")


def _start() -> WSGIHandler:
    handler = get_wsgi_application()
    from credentials.sts import warm_up  # noqa: PLC0415 - models load with the application

    call_command("check", fail_level="ERROR")
    warm_up()
    return handler


application = _start()
