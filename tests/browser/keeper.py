"""A browser in front of a running service: rows to look at, the login, the keyboard."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from demo.service import Service
from tests.browser import PASSWORD, USERNAME, Rows

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
WIDE, NARROW = 1280, 390
HEIGHTS = {WIDE: 900, NARROW: 844}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# However busy the machine is. Whoever mends a flow waits for less.
PATIENCE_MS = int(os.environ.get("PATIENCE_MS", "300000"))
FILL = "from tests.browser import seed; seed.main({!r})"
MOST_TABS = 200
expect.set_options(timeout=PATIENCE_MS)


def seeded(service: Service, at: str = "") -> Rows:
    """Fill the service's database as of now or of a moment; the rows to look at."""
    arguments = ("--no-imports", "--command", FILL.format(at))
    rows: Rows = json.loads(service.manage("shell", *arguments))
    return rows


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, timeout=PATIENCE_MS)
        yield browser
        browser.close()


def new_context(browser: Browser, service: Service, **options: Any) -> BrowserContext:
    """A browser of somebody else's, with all the patience that a busy machine needs."""
    context = browser.new_context(
        base_url=service.url,
        viewport={"width": WIDE, "height": HEIGHTS[WIDE]},
        timezone_id="UTC",
        reduced_motion="reduce",
        **options,
    )
    context.set_default_timeout(PATIENCE_MS)
    return context


def log_in(page: Page) -> None:
    """The first field has the focus."""
    page.goto("/admin/")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type(USERNAME)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Log out").wait_for()


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until something has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{MOST_TABS} times Tab do not reach {target}")


def press_at(page: Page, target: Locator, key: str) -> None:
    """Tab to something and press a key there."""
    tab_to(page, target)
    page.keyboard.press(key)
