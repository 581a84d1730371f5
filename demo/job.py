"""What a CI job does: build a site, register, ask for credentials, upload with boto3, finish."""

import hashlib
import mimetypes
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import requests
from tqdm import tqdm

from demo.processes import ROOT, Child, DemoError, WorkFolder, bare_environment, last_lines
from demo.store import CLIENT_CONFIG

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PRODUCT = "handbook"
TIMEOUT_SECONDS = 20.0
THREADS = 8
DEFAULT_TYPE = "application/octet-stream"
# What a file inside a compressed one is, is not what the file is.
COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


@dataclass(frozen=True, kw_only=True)
class SiteFile:
    """A file of a site; `name` is its path inside the site, with slashes."""

    path: Path
    name: str
    size: int
    content_type: str


@dataclass(frozen=True, kw_only=True)
class Published:
    """A finished build and the credentials that uploaded it, as the service answered."""

    build: Mapping[str, Any]
    credentials: Mapping[str, Any] = field(repr=False)
    upload_seconds: float


class Keeper:
    """Calls the service with a client's API key. Raises DemoError on any unexpected answer."""

    def __init__(
        self, url: str, *, client: str, api_key: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.url = url
        self._http = requests.Session()
        self._http.trust_env = False  # no proxy, no .netrc: the address is this machine's
        self._http.auth = (client, api_key)
        self._http.headers.update(headers or {})

    def create_product(self, *, store: str) -> None:
        """Make the product; one of that name that exists already will do."""
        body = {"slug": PRODUCT, "store": store, "title": PRODUCT.title()}
        self.call("POST", f"{self.url}/products/", body, expected={201, 409})

    def publish(
        self, product: str, upload: Callable[["S3Client", Mapping[str, Any]], None]
    ) -> Published:
        """Do the whole job, with `upload` for its part with the store."""
        url = f"{self.url}/products/{product}/builds/"
        build = self.call("POST", url, {"git_refs": ["main"]}, expected={201})
        credentials = self.call("POST", build["credentials_url"], None, expected={200})
        started = time.monotonic()
        upload(client_of(credentials), build)
        seconds = time.monotonic() - started
        finished = self.call("PATCH", build["self_url"], {"uploaded": True}, expected={200})
        return Published(build=finished, credentials=credentials, upload_seconds=seconds)

    def call(self, method: str, url: str, body: Any, *, expected: set[int]) -> dict[str, Any]:
        try:
            answer = self._http.request(method, url, json=body, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise DemoError(f"{method} {url}: {error}") from error
        if answer.status_code not in expected:
            # What a success says may be a credential.
            detail = "" if answer.ok else answer.text[:500]
            raise DemoError(f"{method} {url} answered {answer.status_code}. {detail}")
        found: dict[str, Any] = answer.json()
        return found


def client_of(credentials: Mapping[str, Any]) -> "S3Client":
    """Plain boto3 with a build's credentials, and what their answer says of the store."""
    return boto3.client(
        "s3",
        endpoint_url=credentials["endpoint_url"],
        region_name=credentials["region"],
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=CLIENT_CONFIG,
    )


@contextmanager
def begin_site(*, folder: WorkFolder, site: str) -> Iterator[Callable[[], list[SiteFile]]]:
    """Begin to make the site; the yielded function waits for it and reads it.

    A folder that is named is read at once. The project's own documentation is built meanwhile,
    beside the set-up of everything else.
    """
    if site:
        files = read_site(Path(site))
        yield lambda: files
        return
    log, built = folder.run / "sphinx.log", folder.root / "site"
    log.unlink(missing_ok=True)
    options = ["-q", "-b", "html", "-d", str(folder.root / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(built)]
    with Child(command, env=bare_environment(), log=log) as sphinx:

        def finished_site() -> list[SiteFile]:
            if sphinx.wait() != 0:
                raise DemoError(f"Sphinx could not build docs/.\n{last_lines(log)}")
            return read_site(built)

        yield finished_site


def read_site(folder: Path) -> list[SiteFile]:
    """Every file below a folder, in order. Raises DemoError when there is nothing to upload."""
    if not folder.is_dir():
        raise DemoError(f"SITE={folder}: not a folder. Name one that holds a built site.")
    files = [_site_file(path, folder) for path in folder.rglob("*") if path.is_file()]
    if not files:
        raise DemoError(f"SITE={folder}: no files in it. Name a folder that holds a built site.")
    return sorted(files, key=lambda file: file.name)


def upload_site(s3: "S3Client", build: Mapping[str, Any], files: list[SiteFile]) -> None:

    def put(file: SiteFile) -> None:
        key, extra = f"{build['bucket_root_dir']}/{file.name}", {"ContentType": file.content_type}
        s3.upload_file(str(file.path), build["bucket_name"], key, ExtraArgs=extra)

    _for_each("Uploading", files, put)


def differences(s3: "S3Client", build: Mapping[str, Any], files: list[SiteFile]) -> list[str]:
    """How what lies below the build's root differs from the files on disk; empty when it is equal.

    Names, content types and bytes are compared.
    """
    bucket, prefix = build["bucket_name"], f"{build['bucket_root_dir']}/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    stored = {
        item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", [])
    }
    expected = {file.name for file in files}
    problems = [f"missing: {name}" for name in sorted(expected - stored)]
    problems += [f"not of the site: {name}" for name in sorted(stored - expected)]

    def compare(file: SiteFile) -> None:
        answer = s3.get_object(Bucket=bucket, Key=prefix + file.name)
        with answer["Body"] as body, file.path.open("rb") as local:
            is_equal = _digest(body) == _digest(local)
        if not is_equal:
            problems.append(f"{file.name}: other bytes than on disk")
        if answer["ContentType"] != file.content_type:
            problems.append(f"{file.name}: {answer['ContentType']}, not {file.content_type}")

    _for_each("Comparing", [file for file in files if file.name in stored], compare)
    return problems


def _digest(file: Any) -> bytes:
    return hashlib.file_digest(file, "sha256").digest()


def _site_file(path: Path, folder: Path) -> SiteFile:
    name = path.relative_to(folder).as_posix()
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DemoError(f"{name!r}: its name is not UTF-8, so S3 has no key for it.") from None
    kind, encoding = mimetypes.guess_type(path.name)
    content_type = COMPRESSED.get(encoding, DEFAULT_TYPE) if encoding else kind or DEFAULT_TYPE
    return SiteFile(path=path, name=name, size=path.stat().st_size, content_type=content_type)


def _for_each(title: str, files: list[SiteFile], do: Callable[[SiteFile], None]) -> None:
    """Do it for all files on a few threads, with a progress bar on a terminal."""
    pool = ThreadPoolExecutor(THREADS)
    try:
        futures = [pool.submit(do, file) for file in files]
        for future in tqdm(futures, desc=title, unit="file", disable=None, leave=False):
            future.result()
    finally:
        # On an error or Ctrl-C: no further file is begun.
        pool.shutdown(cancel_futures=True)
