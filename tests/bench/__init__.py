"""Measurements, to be run by hand: `python -m tests.bench.issuing`. pytest collects none.

Importing this sets Django up, so that the modules here import models at their top.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()
