"""The WSGI application. It refuses to start on wrong settings, and starts warm."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ltdkeeper.settings")

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application

from credentials.sts import warm_up

application = get_wsgi_application()
call_command("check", fail_level="ERROR")
warm_up()
