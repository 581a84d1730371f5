"""The files of a site, and their way into the store: with boto3, or through the service."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from argparse import Namespace
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from mimetypes import MimeTypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import boto3.session
import botocore.session
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.credentials import RefreshableCredentials

from ltdkeeper_upload.keeper import USAGE, Failure, Keeper

PART_BYTES, BAR_WIDTH, MEGABYTE = 256 * 1024, 30, 1_000_000
Build = Mapping[str, Any]
Count = Callable[[int], None]
# Python's own and not the machine's, so that a site has the same types wherever it is built.
TYPES = MimeTypes()
TYPES.types_map[True].update(
    {".avif": "image/avif", ".js": "text/javascript", ".mjs": "text/javascript"}
    | {".webp": "image/webp", ".woff": "font/woff", ".woff2": "font/woff2"}  # not in older Pythons
)


@dataclass(frozen=True)
class SiteFile:
    """A file, with the name that it gets below the build's root."""

    path: Path
    name: str
    size: int

    @property
    def content_type(self) -> str:
        """By its name. What is compressed is served as that, or browsers would unpack it."""
        kind, encoding = TYPES.guess_type(self.name)
        return f"application/x-{encoding}" if encoding else kind or "application/octet-stream"

    def parts(self) -> Iterator[bytes]:
        """Its bytes, few at a time."""
        with self.path.open("rb") as opened:
            yield from iter(lambda: opened.read(PART_BYTES), b"")


def files_below(folder: Path) -> list[SiteFile]:
    """Every file, hidden ones too. Raises Failure, also for links: they could publish others."""
    files, inside = [], folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not (path.is_file() and inside in path.resolve().parents):
            raise Failure(f"{path} is a link to something else than a file below {folder}.", USAGE)
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            files.append(SiteFile(path, name, path.stat().st_size))
    if not files:
        what = "holds no files" if folder.is_dir() else "is not a folder"
        raise Failure(f"{folder} {what}.", USAGE)
    return files


def missing_files(store: Any, build: Build, files: list[SiteFile]) -> list[SiteFile]:
    """Those that the store does not list with these bytes. The ETag of what went up in parts, or is
    encrypted with a KMS key, is no MD5: such a file is uploaded again."""
    bucket, root = build["bucket_name"], f"{build['bucket_root_dir']}/"
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=root)
    etags = {item["Key"]: item["ETag"].strip('"') for item in pages.search("Contents || `[]`")}
    md5 = partial(hashlib.md5, usedforsecurity=False)
    return [f for f in files if etags.get(root + f.name) != md5(f.path.read_bytes()).hexdigest()]


class Progress:
    """Of all uploads of a run: a bar on a terminal, a line now and then in a log."""

    def __init__(self, files: int, size: int) -> None:
        self.stopped, self._lock = False, threading.Lock()
        self._files, self._size, self._done, self._sent = files, size, 0, 0
        self._on_terminal = sys.stderr.isatty()
        self._pause = 0.1 if self._on_terminal else 10.0
        self._due = time.monotonic() + self._pause

    def add(self, sent: int = 0, *, files: int = 0) -> None:
        """Count bytes, or take off what is sent again. Raises Failure after another upload's."""
        if self.stopped and sent <= 0:  # an attempt begins
            raise Failure("Another upload failed.")
        with self._lock:
            self._done, self._sent = self._done + files, self._sent + sent
            last = files > 0 and self._done == self._files
            if not last and time.monotonic() < self._due:
                return
            self._due = time.monotonic() + self._pause
            sizes = f"{self._sent / MEGABYTE:,.1f} of {self._size / MEGABYTE:,.1f} MB"
            line = f"{self._done:,} of {self._files:,} files, {sizes}"
            if self._on_terminal:
                bar = "#" * (BAR_WIDTH * self._sent // max(self._size, 1))
                line = f"\r[{bar:<{BAR_WIDTH}}] {line}"
            sys.stderr.write(line if self._on_terminal and not last else f"{line}\n")


def upload(keeper: Keeper, build: Build, files: list[SiteFile], options: Namespace) -> int:
    """Put what is missing, several at once; the number of files. Raises the first error of any."""
    files, put = [] if options.check else files, partial(put_through_service, keeper)
    if not options.through_service:
        store = store_client(lambda: keeper.call("GET", build["credentials_url"]), options.jobs)
        put = partial(put_into_store, store)
        if options.build or options.check:
            files = missing_files(store, build, files)
    progress = Progress(len(files), sum(file.size for file in files))

    def put_one(file: SiteFile) -> None:
        put(build, options.cache_control, file, progress.add)
        progress.add(files=1)

    with ThreadPoolExecutor(options.jobs) as pool:
        try:
            list(pool.map(put_one, files))
        finally:
            progress.stopped = True
    return len(files)


def put_into_store(s3: Any, build: Build, cache_control: str, file: SiteFile, count: Count) -> None:
    """Put a file below the build's root. Raises what boto3 raises."""
    headers: Any = {"ContentType": file.content_type, "CacheControl": cache_control}
    headers["Metadata"] = {"surrogate-key": build["surrogate_key"]}
    where = build["bucket_name"], f"{build['bucket_root_dir']}/{file.name}"
    s3.upload_file(str(file.path), *where, headers, count, TransferConfig(use_threads=False))


def put_through_service(
    keeper: Keeper, build: Build, cache_control: str, file: SiteFile, count: Count
) -> None:
    """Send a file to the service, which puts it there. Raises Failure."""
    sha256, sent = hashlib.sha256(), 0
    for part in file.parts():
        sha256.update(part)
    headers = {"Content-Type": file.content_type, "Content-Length": str(file.size)}
    headers |= {"Cache-Control": cache_control}
    headers |= {"x-amz-checksum-sha256": b64encode(sha256.digest()).decode()}

    def parts() -> Iterator[bytes]:
        nonlocal sent
        count(-sent)
        sent = 0
        for part in file.parts():
            sent += len(part)
            count(len(part))
            yield part

    keeper.call("PUT", f"{build['self_url']}/objects/{quote(file.name)}", (headers, parts))


def store_client(fetch: Callable[[], dict[str, Any]], jobs: int) -> Any:
    """S3 with the credentials that `fetch` gives, again before they expire. Nothing else on this
    machine that configures AWS clients counts: no key, profile or endpoint."""

    def fetch_key() -> dict[str, str]:
        session.update(fetch())
        names = {"access_key": "AccessKeyId", "secret_key": "SecretAccessKey"}
        names |= {"token": "SessionToken", "expiry_time": "Expiration"}
        return {name: session[field] for name, field in names.items()}

    session: dict[str, Any] = {}
    key = RefreshableCredentials.create_from_metadata(fetch_key(), fetch_key, "ltdkeeper")
    settings: dict[str, Any] = {"ignore_configured_endpoint_urls": True, "profile": None}
    settings |= dict.fromkeys(("config_file", "credentials_file"), os.devnull)
    core = botocore.session.Session({k: (None, None, v, None) for k, v in settings.items()})
    core.register_component("credential_provider", SimpleNamespace(load_credentials=lambda: key))
    retries: Any = {"mode": "standard", "total_max_attempts": 5}
    s3: Any = {"addressing_style": session["addressing"]}
    config = Config(max_pool_connections=jobs, retries=retries, s3=s3)
    where = {"region_name": session["region"], "endpoint_url": session["endpoint_url"]}
    return boto3.session.Session(botocore_session=core).client("s3", config=config, **where)
