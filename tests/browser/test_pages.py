"""Every page of the admin, wide and narrow, light and dark, as a browser and axe-core see it."""

import pytest
from playwright.sync_api import Page

from demo.service import Service
from tests.browser import Rows
from tests.browser.addresses import addresses_of, models, patterns_by_name
from tests.browser.faults import Watch, faults_in_all_views

FORBIDDEN = 403


def faults_at(watch: Watch, address: str) -> list[str]:
    """What is wrong with a page; nothing where nobody may open one."""
    answer = watch.page.goto(address)
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


def test_login_has_no_fault(stranger: Page, service: Service) -> None:
    found = faults_at(Watch(stranger, service.url), "/admin/")
    assert not found, "\n".join(found)


def test_there_are_rows_to_look_at_of_every_model(rows: Rows) -> None:
    assert [name for name in models() if not rows[name]] == []
