"""Make the pictures of the admin in docs/images: `python -m tests.browser.screenshots`.

Rows and time are always the same, so that only a change of the pages changes a picture.
"""

import io
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page
from tqdm import tqdm

from demo.processes import ROOT, Child, WorkFolder
from demo.service import Service, embedded_environment, free_port, procfile_command
from tests.browser import MOMENT, Rows
from tests.browser.keeper import SCHEMES, chromium, log_in, new_context, seeded

IMAGES = ROOT / "docs" / "images"
AT = "2026-11-23T12:20:00+00:00"
COLOURS = 64
PICTURES = {
    "front-page": "/admin/",
    "sessions": "/admin/credentials/issuedsession/",
    "session": "/admin/credentials/issuedsession/{credentials_issuedsession}/change/",
    "revoke": "/admin/revoke/client/1/",
}


class StillService(Service):
    """One for which it is always the same moment. It needs no store: nobody uploads anything."""

    def __init__(self, folder: WorkFolder) -> None:
        environment = embedded_environment(
            folder=folder, endpoint_url="https://s3.example.org", port=free_port()
        )
        super().__init__(environment | {MOMENT: AT}, log=folder.service_log)

    def start(self) -> None:
        command = procfile_command("web").replace("ltdkeeper.wsgi", "tests.browser.still")
        self._web = Child(["sh", "-c", f"exec {command}"], env=self.environment, log=self.log)


def take(page: Page, name: str) -> None:
    """The page that is open, light and dark, in few colours: a quarter of the bytes."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        shot = page.screenshot(animations="disabled", caret="hide")
        image = (
            Image.open(io.BytesIO(shot)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        )
        image.save(IMAGES / f"{name}-{scheme}.png", optimize=True)


def take_all(page: Page, rows: Rows) -> None:
    newest = {model: keys[0] for model, keys in rows.items()}
    for name, address in tqdm(PICTURES.items(), disable=None):
        page.goto(address.format(**newest), wait_until="networkidle")
        take(page, name)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as path:
        folder = WorkFolder("screenshots", root=Path(path))
        with folder.opened(), StillService(folder) as service, chromium() as browser:
            rows = seeded(service, AT)
            service.wait_until_it_answers()
            with new_context(browser, service) as context:
                page = context.new_page()
                log_in(page)
                take_all(page, rows)


if __name__ == "__main__":
    main()
