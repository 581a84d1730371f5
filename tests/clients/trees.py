"""What lies below a build's root, read with the operator's key, beside what lies on disk."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.sites import UNKNOWN, files_of, guessed_type

THREADS = 4


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """One file as it is served, or as it should be."""

    digest: str
    content_type: str


Tree = dict[str, StoredFile]


def tree_on_disk(folder: Path, *, unknown: str = UNKNOWN) -> Tree:
    """Names, bytes and the content types that an upload should give them."""
    return {
        name: StoredFile(
            digest=hashlib.sha256(path.read_bytes()).hexdigest(),
            content_type=guessed_type(name, unknown=unknown),
        )
        for name, path in files_of(folder)
    }


def stored_tree(s3: Any, *, bucket: str, root: str) -> Tree:
    """Everything below `root/`. Raises botocore's errors."""

    def read(key: str) -> StoredFile:
        stored = s3.get_object(Bucket=bucket, Key=key)
        with stored["Body"] as body:
            digest = hashlib.sha256(body.read()).hexdigest()
        return StoredFile(digest=digest, content_type=stored.get("ContentType", ""))

    keys = keys_below(s3, bucket=bucket, prefix=f"{root}/")
    with ThreadPoolExecutor(THREADS) as pool:
        files = pool.map(read, keys)
        return {key.removeprefix(f"{root}/"): file for key, file in zip(keys, files, strict=True)}


def keys_below(s3: Any, *, bucket: str, prefix: str) -> list[str]:
    """Every key that begins so."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def without(tree: Tree, is_left_out: Callable[[str], bool]) -> Tree:
    """The tree without some names."""
    return {name: file for name, file in tree.items() if not is_left_out(name)}
