"""What was handed out stands in nothing that the service keeps or shows, at DEBUG."""

import re
from pathlib import Path
from typing import Any

import requests

from demo.play import leaks
from demo.service import Service
from tests.store.conftest import OTHER_PRODUCT, PRODUCT, SYNCED
from tests.store.stage import Account, isolation_of
from tests.store.uploader import Uploader

ADMIN = {"username": "root", "password": "only-for-this-test"}
KINDS = ("SecretAccessKey", "SessionToken")


def hand_out(uploader: Uploader) -> list[dict[str, Any]]:
    """Sessions of every kind, for builds that are then finished."""
    answers = []
    for product in (PRODUCT, SYNCED):
        build = uploader.register(product)
        address = f"{build.url}/credentials"
        answers.append(uploader.ask(build).json())
        answers += [
            uploader.call("GET", url).json() for url in (address, f"{address}?delivery=process")
        ]
        uploader.finish(build)
    return answers


def be_refused(uploader: Uploader) -> list[str]:
    """The answers to what is wrong, in ways that come after the key was looked at."""
    build = uploader.register(OTHER_PRODUCT)
    refusals = [uploader.ask(build, duration_seconds=1)]
    uploader.finish(build)
    refusals += [uploader.ask(build), uploader.call("GET", "/builds/0/credentials")]
    assert not any(refusal.ok for refusal in refusals)
    return [refusal.text for refusal in refusals]


def admin_pages(service: Service) -> list[str]:
    """The front page, the ledger, and every row on its first page, as a superuser sees them."""
    account = {f"DJANGO_SUPERUSER_{name.upper()}": value for name, value in ADMIN.items()}
    account["DJANGO_SUPERUSER_EMAIL"] = "root@localhost"
    service.manage("createsuperuser", "--noinput", environment=account)
    with requests.Session() as browser:
        browser.trust_env = False
        login = f"{service.url}/admin/login/"
        browser.get(login, timeout=120)
        form = ADMIN | {"csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        assert browser.post(login, data=form, timeout=120).ok
        ledger = f"{service.url}/admin/credentials/issuedsession/"
        listed = browser.get(ledger, timeout=120).text
        rows = re.findall(r'/admin/credentials/issuedsession/([^/"]+)/change/', listed)
        assert rows, "the ledger shows no row"
        addresses = [f"{ledger}{row}/change/" for row in dict.fromkeys(rows)]
        return [
            listed,
            *(browser.get(url, timeout=120).text for url in (f"{service.url}/admin/", *addresses)),
        ]


def test_no_secret_is_left_behind(
    uploader: Uploader, service: Service, account: Account, folder: Path, tmp_path: Path
) -> None:
    answers = hand_out(uploader)
    secrets = {f"{kind} {n}": each[kind] for n, each in enumerate(answers) for kind in KINDS}
    secrets["the vendor's key"] = account.vendor.secret_access_key.reveal()
    shown = {
        "errors": "\n".join(be_refused(uploader)),
        "check": isolation_of(service),
        "health": uploader.call("GET", "/readyz").text,
        "admin": "\n".join(admin_pages(service)),
    }
    for name, text in shown.items():
        (tmp_path / name).write_text(text)
    kept = [path for path in folder.iterdir() if path.is_file()]
    assert {"db.sqlite3", "service.log"} <= {path.name for path in kept}
    assert leaks(secrets=secrets, files=[*kept, *tmp_path.iterdir()]) == []
