"""What an operator does, by keyboard alone."""

import csv
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, expect

from demo.service import Service
from tests.browser import Rows
from tests.browser.keeper import log_in, press_at, tab_to
from tests.store.answers import Answer, answer_to
from tests.store.conftest import hand_for
from tests.store.stage import Account
from tests.store.uploader import RegisteredBuild, Uploader

ADD_KEY = "/admin/credentials/apikey/add/"
SESSIONS = "/admin/credentials/issuedsession/"
PRODUCT = "by-keyboard"


@pytest.fixture
def uploader(service: Service, account: Account, rows: Rows) -> Iterator[Uploader]:
    """A client whose sessions the store itself gives, with a key that may be revoked."""
    uploader = Uploader(service.url, api_key=service.new_client("keyboard"), store=account.row.name)
    if not uploader.call("GET", f"/products/{PRODUCT}").ok:
        uploader.create_product(PRODUCT)
    yield uploader
    uploader.close()


def choose(page: Page, field: str, text: str) -> None:
    """The row of a field that completes what is typed."""
    press_at(page, page.locator(f"#id_{field} + .select2 [role=combobox]"), "Enter")
    page.keyboard.type(text)
    expect(page.locator(".select2-results__option--highlighted")).to_have_text(text)
    page.keyboard.press("Enter")


def make_key(page: Page) -> str:
    """A new key of a client; its text."""
    page.goto(ADD_KEY)
    choose(page, "client", "docs-ci")
    tab_to(page, page.get_by_label("Label"))
    page.keyboard.type("made by keyboard")
    press_at(page, page.get_by_role("button", name="Save", exact=True), "Enter")
    return page.locator("code.keeper-secret").inner_text()


def find(page: Page, text: str) -> None:
    """Paste something into the box of the front page, which has the focus."""
    page.goto("/admin/")
    expect(page.get_by_role("searchbox", name="Find")).to_be_focused()
    page.keyboard.insert_text(text)
    page.keyboard.press("Enter")


def test_operator_logs_in_and_out(stranger: Page) -> None:
    log_in(stranger)
    press_at(stranger, stranger.get_by_role("button", name="Log out"), "Enter")
    expect(stranger.get_by_role("heading", level=1)).to_have_text("Logged out")


def test_first_tab_offers_to_skip_to_the_content(page: Page) -> None:
    page.goto("/admin/builds/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#content-start")).to_be_focused()


def test_new_key_is_shown_once(page: Page) -> None:
    key = make_key(page)
    assert key.startswith("ltdk_")
    for again in (page.reload, page.go_back, page.go_forward):
        with suppress(Error):  # Chromium asks whether to send the form again
            again()
        expect(page.locator("html")).not_to_contain_text(key)


def test_session_is_found_by_its_access_key_id(page: Page, uploader: Uploader) -> None:
    build = uploader.register(PRODUCT)
    session = uploader.session(build)
    find(page, f"  {session.access_key_id}\n")
    page.wait_for_url(f"**{SESSIONS}*/change/")
    content = page.locator("#content")
    expect(content).to_contain_text(session.access_key_id)
    expect(content).to_contain_text(build.root)


def test_revoked_session_is_refused_by_the_store(
    page: Page, uploader: Uploader, service: Service, account: Account, tmp_path: Path
) -> None:
    victim, neighbour = (hand_for(account.store, uploader, build) for build in builds(uploader))
    victim.s3.put_object(**victim.own("page"), Body=b"")
    find(page, victim.root)
    press_at(page, page.get_by_role("link", name="Revoke sessions"), "Enter")
    tab_to(page, page.get_by_label("Reason"))
    page.keyboard.type("its job printed the credentials")
    press_at(page, page.get_by_role("button", name="Revoke 1 session"), "Enter")
    expect(page.locator("#content")).to_contain_text("waits for manage.py write_revocations")
    write_revocations(service, account, tmp_path)
    page.reload()
    expect(page.locator("#content")).to_contain_text("the store refused a session")
    refused = answer_to(lambda: victim.s3.put_object(**victim.own("page"), Body=b""))
    assert refused == Answer(403, "AccessDenied")
    neighbour.s3.put_object(**neighbour.own("page"), Body=b"")


def builds(uploader: Uploader) -> list[RegisteredBuild]:
    return [uploader.register(PRODUCT) for _ in range(2)]


def write_revocations(service: Service, account: Account, folder: Path) -> None:
    """What cron does, with the operator's own key."""
    key, file = account.store.operator, folder / "credentials"
    secret = key.secret_access_key.reveal()
    file.write_text(
        f"[operator]\naws_access_key_id={key.access_key_id}\naws_secret_access_key={secret}\n"
    )
    environment = {"AWS_SHARED_CREDENTIALS_FILE": str(file)}
    service.manage("write_revocations", "--profile", "operator", environment=environment)


def test_list_is_exported(page: Page) -> None:
    page.goto(f"{SESSIONS}?state=failed")
    with page.expect_download() as download:
        press_at(page, page.get_by_role("button", name="Export CSV"), "Enter")
    with download.value.path().open(newline="") as file:
        exported = list(csv.DictReader(file))
    assert [row["status"] for row in exported] == ["failed"]
