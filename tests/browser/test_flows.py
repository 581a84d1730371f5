"""What an operator does, by keyboard alone."""

from contextlib import suppress

from playwright.sync_api import Error, Page, expect

from tests.browser.keeper import log_in, press_at, tab_to

ADD_KEY = "/admin/credentials/apikey/add/"
SHOWN_KEY = "code.keeper-secret"


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
    return page.locator(SHOWN_KEY).inner_text()


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
        page.wait_for_load_state()
        assert key not in page.content()
