"""The files of a site, and their way into the store with boto3's own transfer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from mimetypes import MimeTypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3.session
import botocore.session
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config
from botocore.credentials import RefreshableCredentials

from ltdkeeper_upload.console import USAGE, Failure, Progress

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

    def is_stored(self, stored: Mapping[str, tuple[int, str]]) -> bool:
        """Whether the store lists it with these bytes. The ETag of what went up in parts, or is
        encrypted with a KMS key, is no MD5: such a file is uploaded again."""
        size, etag = stored.get(self.name, (-1, ""))
        if size != self.size or "-" in etag:
            return False
        return hashlib.md5(self.path.read_bytes(), usedforsecurity=False).hexdigest() == etag


def files_below(folder: Path) -> list[SiteFile]:
    """Every file, hidden ones too. Raises Failure.

    A link may stand for a file of the folder only: a site that somebody else has built could
    publish a file of this machine.
    """
    files = []
    inside = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not (path.is_file() and inside in path.resolve().parents):
            raise Failure(f"{path} is a link to something else than a file below {folder}.", USAGE)
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            files.append(SiteFile(path=path, name=name, size=path.stat().st_size))
    if not files:
        raise Failure(f"{folder} holds no files.", USAGE)
    return files


def stored_files(client: Any, build: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """Size and ETag of what lies below the build's root, by name."""
    root = f"{build['bucket_root_dir']}/"
    listing = client.get_paginator("list_objects_v2")
    return {
        item["Key"][len(root) :]: (item["Size"], item["ETag"].strip('"'))
        for page in listing.paginate(Bucket=build["bucket_name"], Prefix=root)
        for item in page.get("Contents", [])
    }


def upload(
    client: Any, build: Mapping[str, Any], files: list[SiteFile], *, cache_control: str, jobs: int
) -> None:
    """Put all files below the build's root, several at once. Raises the first error of any."""
    progress = Progress(len(files), sum(file.size for file in files))
    bucket, root = build["bucket_name"], build["bucket_root_dir"]
    same = {"CacheControl": cache_control, "Metadata": {"surrogate-key": build["surrogate_key"]}}
    with create_transfer_manager(client, TransferConfig(max_concurrency=jobs)) as transfers:
        for file in files:
            if progress.failure:
                break
            headers = {"ContentType": file.content_type, **same}
            transfers.upload(str(file.path), bucket, f"{root}/{file.name}", headers, [progress])
    if progress.failure:
        raise progress.failure


def store_client(fetch: Callable[[], dict[str, Any]], jobs: int) -> Any:
    """S3 with the credentials that `fetch` gives. boto3 calls it again before they expire.

    Nothing else on this machine that configures AWS clients counts: no key, profile or endpoint.
    """

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
    config = Config(
        max_pool_connections=jobs,
        retries={"mode": "standard", "total_max_attempts": 5},
        s3={"addressing_style": session["addressing"]},
    )
    return boto3.session.Session(botocore_session=core).client(
        "s3", region_name=session["region"], endpoint_url=session["endpoint_url"], config=config
    )
