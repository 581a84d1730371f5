"""What must not be seen on a page: at two widths, light and dark."""

import json
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ConsoleMessage, Page, Request

from tests.browser.keeper import HEIGHTS, SCHEMES

SERIOUS = {"serious", "critical"}

LAYOUT = """() => {
  const faults = [], width = document.documentElement.clientWidth;
  const seen = element => element.getClientRects().length > 0;
  const name = element => element.tagName.toLowerCase() + (element.id ? "#" + element.id : "")
    + [...element.classList].map(each => "." + each).join("");
  if (document.documentElement.scrollWidth > width) {
    const out = [...document.body.querySelectorAll("*")].filter(element => seen(element)
      && element.getBoundingClientRect().left + element.scrollWidth > width + 1);
    faults.push("the page scrolls sideways: " + out.slice(0, 3).map(name).join(", "));
  }
  for (const element of document.body.querySelectorAll("*:not(select):not(textarea)")) {
    const scrolls = ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
    if (scrolls && element.clientWidth && element.scrollWidth > element.clientWidth + 1)
      faults.push(name(element) + " scrolls sideways");
  }
  for (const head of document.querySelectorAll("#result_list thead th"))
    if (seen(head) && head.getBoundingClientRect().right > width + 1)
      faults.push("column off screen: " + head.innerText.trim());
  const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(seen).map(
    heading => Number(heading.tagName[1]));
  if (levels.filter(level => level === 1).length !== 1) faults.push("not one h1: " + levels);
  if (levels.some((level, at) => level > (levels[at - 1] ?? 0) + 1))
    faults.push("headings out of order: " + levels);
  return faults;
}"""
# A change of colours fades in: what is measured is where it ends.
# An animation without an end, such as that of a page which loads, cannot be finished.
SETTLE = """() => document.getAnimations().forEach(
    each => each.effect.getComputedTiming().endTime === Infinity ? each.cancel() : each.finish())"""
AXE = """options => axe.run(document, options).then(found => found.violations.map(each => ({
  id: each.id, impact: each.impact, help: each.help,
  targets: each.nodes.map(node => node.target.flat().join(" ") + " " +
    node.any.concat(node.all, node.none).map(check => check.message).join(" ")),
})))"""
# Without preloading: axe would fetch style sheets anew, which the page's own rules refuse it.
RULES = {"resultTypes": ["violations"], "preload": False}
# What dark colours can change.
COLOUR_RULES = RULES | {"runOnly": ["color-contrast", "link-in-text-block"]}


@dataclass
class Watch:
    """Notes what a page says on its console, and what it fetches from elsewhere or in vain."""

    page: Page
    origin: str
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"script error: {error}"))
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        is_note = message.type in {"verbose", "info"}  # Chromium's own, on forms and their focus
        # It asks for that where a refusal, which is no page, names no icon.
        if not is_note and not message.location["url"].endswith("/favicon.ico"):
            self.faults.append(f"console {message.type}: {message.text} {message.location}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:")):
            self.faults.append(f"foreign request: {request.url}")

    def take(self) -> list[str]:
        """What was noted since it was last taken."""
        noted, self.faults[:] = list(self.faults), []
        return noted


def faults_in_all_views(page: Page) -> list[str]:
    """The faults of the page that is open, each with the view that has it."""
    page.evaluate(AXE_SCRIPT)
    faults = []
    for width, height in HEIGHTS.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            page.evaluate(SETTLE)
            rules = RULES if scheme == "light" else COLOUR_RULES
            faults += [f"{width} {scheme}: {fault}" for fault in _inaccessible(page, rules)]
        faults += [f"{width}: {fault}" for fault in page.evaluate(LAYOUT)]
    return faults


def _inaccessible(page: Page, rules: dict[str, Any]) -> list[str]:
    """What axe-core calls serious or critical."""
    violations: list[dict[str, Any]] = page.evaluate(AXE, rules)
    return [
        f"axe {each['id']} ({each['help']}): {json.dumps(each['targets'][:3])}"
        for each in violations
        if each["impact"] in SERIOUS
    ]
