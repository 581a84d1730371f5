"""Uploads a site with plain boto3, and reads it back to compare."""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tqdm import tqdm

from demo.keeper import Build
from demo.site import SiteFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

THREADS = 8
CHUNK_BYTES = 1024 * 1024


def upload_site(*, s3: "S3Client", build: Build, files: list[SiteFile]) -> None:
    """Put every file below the build's root."""

    def put(file: SiteFile) -> None:
        extra = {"ContentType": file.content_type}
        s3.upload_file(str(file.path), build.bucket, f"{build.root}/{file.name}", ExtraArgs=extra)

    _for_each("Uploading", files, put)


def differences(*, s3: "S3Client", build: Build, files: list[SiteFile]) -> list[str]:
    """How what lies below the build's root differs from the files on disk; empty when it is equal.

    Names, sizes, content types and bytes are compared.
    """
    prefix = f"{build.root}/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=build.bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    found = {key.removeprefix(prefix) if key.startswith(prefix) else f"/{key}" for key in keys}
    expected = {file.name for file in files}
    problems = [f"missing: {name}" for name in sorted(expected - found)]
    problems += [f"not of the site: {name}" for name in sorted(found - expected)]

    def compare(file: SiteFile) -> None:
        if file.name in found:
            problems.extend(_compare(s3, build, file))

    _for_each("Comparing", files, compare)
    return problems


def _compare(s3: "S3Client", build: Build, file: SiteFile) -> Iterable[str]:
    stored = s3.get_object(Bucket=build.bucket, Key=f"{build.root}/{file.name}")
    with stored["Body"] as body:
        digest = _sha256(iter(lambda: body.read(CHUNK_BYTES), b""))
    with file.path.open("rb") as local:
        expected = _sha256(iter(lambda: local.read(CHUNK_BYTES), b""))
    if stored["ContentLength"] != file.size:
        yield f"{file.name}: {stored['ContentLength']} bytes, {file.size} on disk"
    elif digest != expected:
        yield f"{file.name}: other bytes than on disk"
    if stored["ContentType"] != file.content_type:
        yield f"{file.name}: {stored['ContentType']}, not {file.content_type}"


def _sha256(chunks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


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
