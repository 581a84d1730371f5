"""The files of a site, and their way into the store: with boto3, or through the service."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from argparse import Namespace
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from mimetypes import MimeTypes
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3.session
import botocore.session
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config
from botocore.credentials import RefreshableCredentials

from ltdkeeper_upload.keeper import USAGE, Failure, Keeper

PART_BYTES, LARGE_BYTES, BAR_WIDTH = 256 * 1024, 8 * 1024 * 1024, 30
# Where Sphinx, MkDocs, Hugo and others put what they make.
SITES = ("html", "public", "site", "_build/html", "docs/_build/html", "docs/build/html")
LEFT_OUT = {".doctrees", ".git"}  # Sphinx's cache, with paths of the machine; and the source
Build = Mapping[str, Any]
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

    def digest(self, name: str) -> Any:
        """Its hash of that name."""
        found = hashlib.new(name, usedforsecurity=False)
        for part in self.parts():
            found.update(part)
        return found


def only_site() -> str:
    """The folder with a page at one of the usual places. Raises Failure for none or several."""
    found = [name for name in SITES if Path(name, "index.html").is_file()]
    if len(found) == 1:
        return found[0]
    there = ", ".join(found) or f"none of {', '.join(SITES)}"
    raise Failure(f"Name the folder of the site. Found with an index.html: {there}.", USAGE)


def files_below(folder: Path) -> list[SiteFile]:
    """Every file but LEFT_OUT. Raises Failure, also for links: they could publish others."""
    files, inside = [], folder.resolve()
    paths = (p for p in folder.rglob("*") if not LEFT_OUT & {*p.relative_to(folder).parts})
    for path in sorted(paths):
        if path.is_symlink() and not (path.is_file() and inside in path.resolve().parents):
            raise Failure(f"The link {path} does not lead to a file in {folder}.", USAGE)
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            files.append(SiteFile(path, name, path.stat().st_size))
    if not files:
        what = "is not a folder" if folder.exists() else "does not exist"
        what = "contains no files" if folder.is_dir() else what
        raise Failure(f"{folder} {what}. Name the folder that the build wrote.", USAGE)
    return files


def missing_files(store: Any, build: Build, files: list[SiteFile]) -> list[SiteFile]:
    """Those that the store does not list with these bytes. The ETag of what went up in parts, or is
    encrypted with a KMS key, is no MD5: such a file is uploaded again."""
    bucket, root = build["bucket_name"], f"{build['bucket_root_dir']}/"
    pages = store.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=root)
    etags = {item["Key"]: item["ETag"].strip('"') for item in pages.search("Contents || `[]`")}
    return [f for f in files if etags.get(root + f.name) != f.digest("md5").hexdigest()]


def show_progress(done: Iterator[None], files: list[SiteFile]) -> None:
    """Wait until all are done: with a bar on a terminal, with a line now and then in a log."""
    on_terminal, total, sent = sys.stderr.isatty(), sum(file.size for file in files), 0
    due = time.monotonic() + (pause := 0.1 if on_terminal else 10.0)
    for count, (file, _) in enumerate(zip(files, done), 1):
        sent += file.size
        if (last := count == len(files)) or time.monotonic() >= due:
            due = time.monotonic() + pause
            bar = f"\r[{'#' * (BAR_WIDTH * count // len(files)):<{BAR_WIDTH}}] "
            line = f"{bar if on_terminal else ''}{count:,} of {len(files):,} files, "
            line += f"{-(-sent // 1000):,} of {-(-total // 1000):,} kB"
            sys.stderr.write(line if on_terminal and not last else f"{line}\n")


def upload(keeper: Keeper, build: Build, files: list[SiteFile], options: Namespace) -> int:
    """Put what is missing, several at once; the number of files. Raises the first error of any."""
    files = [] if options.check else files
    with ThreadPoolExecutor(options.jobs) as pool, ExitStack() as stack:
        put = partial(put_through_service, keeper, build, options.cache_control)
        if not options.through_service:
            s3 = store_client(lambda: keeper.call("GET", build["credentials_url"]), options.jobs)
            parts = create_transfer_manager(s3, TransferConfig(max_concurrency=options.jobs))
            stack.enter_context(parts)
            put = partial(put_into_store, parts, build, options.cache_control)
            if options.build or options.check:
                files = missing_files(s3, build, files)
        show_progress(pool.map(put, files), files)
    return len(files)


def put_into_store(transfers: Any, build: Build, cache_control: str, file: SiteFile) -> None:
    """Put a file below the build's root, a large one in parts. Raises what boto3 raises."""
    headers: Any = {"ContentType": file.content_type, "CacheControl": cache_control}
    headers["Metadata"] = {"surrogate-key": build["surrogate_key"]}
    bucket, key = build["bucket_name"], f"{build['bucket_root_dir']}/{file.name}"
    if file.size > LARGE_BYTES:
        transfers.upload(str(file.path), bucket, key, headers).result()
    else:
        with file.path.open("rb") as body:  # half the work that a transfer is
            transfers.client.put_object(Bucket=bucket, Key=key, Body=body, **headers)


def put_through_service(keeper: Keeper, build: Build, cache_control: str, file: SiteFile) -> None:
    """Send a file to the service, which puts it there. Raises Failure."""
    headers = {"Content-Type": file.content_type, "Content-Length": str(file.size)}
    sha256 = b64encode(file.digest("sha256").digest()).decode()
    headers |= {"Cache-Control": cache_control, "x-amz-checksum-sha256": sha256}
    keeper.call("PUT", f"{build['self_url']}/objects/{quote(file.name)}", (headers, file.parts))


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
    core.register_component("credential_provider", Namespace(load_credentials=lambda: key))
    retries: Any = {"mode": "standard", "total_max_attempts": 5}
    s3: Any = {"addressing_style": session["addressing"]}
    config = Config(max_pool_connections=2 * jobs, retries=retries, s3=s3)
    where = {"region_name": session["region"], "endpoint_url": session["endpoint_url"]}
    return boto3.session.Session(botocore_session=core).client("s3", config=config, **where)
