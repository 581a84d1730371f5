"""Actions of the admin's lists that ask first."""

from typing import Any

from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse


def ask(browser: Browser, action: str, *rows: Any, **fields: Any) -> str:
    """Choose an action of a list; the address of the page that asks."""
    meta = rows[0]._meta
    address = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    data = {"action": action, "_selected_action": [row.pk for row in rows], **fields}
    return str(browser.post(address, data)["Location"])


def confirm(browser: Browser, action: str, *rows: Any, **fields: Any) -> HttpResponse:
    """Choose it and confirm it on that page."""
    answer: Any = browser.post(ask(browser, action, *rows), {"reason": "leaked", **fields})
    return answer
