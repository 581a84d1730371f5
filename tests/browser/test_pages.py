"""Every page of the admin, wide and narrow, light and dark, as a browser and axe-core see it."""

from typing import Literal

import pytest
from playwright.sync_api import Page

from demo.service import Service
from tests.browser import Rows
from tests.browser.addresses import addresses_of, models, patterns_by_name
from tests.browser.faults import Watch, faults_in_all_views

FORBIDDEN = 403
API_PAGE = "/docs/"


def faults_at(watch: Watch, address: str) -> list[str]:
    """What is wrong with a page; nothing where nobody may open one."""
    # A script makes it, and is done when nothing is fetched any more.
    until: Literal["load", "networkidle"] = "networkidle" if address == API_PAGE else "load"
    answer = watch.page.goto(address, wait_until=until)
    assert answer
    if answer.status == FORBIDDEN:
        watch.take()
        return []
    wrong = [] if answer.ok else [f"status {answer.status}"]
    found = [*wrong, *watch.take(), *faults_in_all_views(watch.page)]
    watch.take()  # what axe-core says
    return [f"{address} {fault}" for fault in found]


@pytest.mark.parametrize("name", patterns_by_name())
def test_page_has_no_fault(name: str, rows: Rows, watch: Watch) -> None:
    addresses = addresses_of(name, rows)
    found = [fault for each in addresses for fault in faults_at(watch, each)]
    assert not found, "\n".join(found)


def test_api_page_has_no_fault(watch: Watch) -> None:
    """But for the levels of headings, which are Swagger UI's own."""
    found = [each for each in faults_at(watch, API_PAGE) if "headings" not in each]
    assert not found, "\n".join(found)


def test_login_has_no_fault(stranger: Page, service: Service) -> None:
    found = faults_at(Watch(stranger, service.url), "/admin/")
    assert not found, "\n".join(found)


def test_there_are_rows_to_look_at_of_every_model(rows: Rows) -> None:
    assert [name for name in models() if not rows[name]] == []
