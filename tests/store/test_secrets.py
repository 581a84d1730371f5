"""What was handed out stands in nothing that the service keeps, with every event logged."""

from pathlib import Path

from demo.leaks import leaks
from tests.store.conftest import PRODUCT
from tests.store.stage import Account
from tests.store.uploader import Uploader


def test_no_secret_is_written_down(uploader: Uploader, account: Account, folder: Path) -> None:
    build = uploader.register(PRODUCT)
    answers = [uploader.ask(build).json(), uploader.call("GET", f"{build.url}/credentials").json()]
    uploader.finish(build)
    kinds = ("SecretAccessKey", "SessionToken")
    secrets = {f"{kind} {n}": each[kind] for n, each in enumerate(answers) for kind in kinds}
    secrets["the vendor's key"] = account.vendor.secret_access_key.reveal()
    files = [path for path in folder.iterdir() if path.is_file()]
    assert {"db.sqlite3", "service.log"} <= {path.name for path in files}
    assert leaks(secrets=secrets, files=files) == []
