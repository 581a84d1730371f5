"""A bucket as the auditor sees it: pages of three keys, folders, unfinished uploads."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

from botocore.exceptions import ClientError

PAGE_KEYS = 3


@dataclass
class FakeBucket:
    """`objects` are times of writing by key, `uploads` times of beginning; all are of 10 bytes."""

    objects: dict[str, datetime] = field(default_factory=dict)
    uploads: dict[str, datetime] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    error: Exception | None = None

    def get_paginator(self, name: str) -> "FakeBucket":
        assert name == "list_objects_v2"
        return self

    def paginate(self, **request: str) -> Iterator[dict[str, Any]]:
        if self.error:
            raise self.error
        names = sorted(key for key in self.objects if key.startswith(request["Prefix"]))
        if request.get("Delimiter"):
            names = sorted({re.sub("/.*", "/", name, flags=re.DOTALL) for name in names})
        for start in range(0, len(names) or 1, PAGE_KEYS):
            page = names[start : start + PAGE_KEYS]
            yield {
                "IsTruncated": False,
                "Contents": [self._entry(name) for name in page if name in self.objects],
                "CommonPrefixes": [{"Prefix": name} for name in page if name not in self.objects],
            }

    def _entry(self, key: str) -> dict[str, Any]:
        return {"Key": key, "Size": 10, "LastModified": self.objects[key]}

    def list_multipart_uploads(self, **request: str) -> dict[str, Any]:
        """One on each page."""
        prefix, after = request["Prefix"], request.get("KeyMarker", "")
        found = sorted(key for key in self.uploads if key.startswith(prefix) and key > after)
        return {
            "EncodingType": "url",
            "IsTruncated": len(found) > 1,
            "NextKeyMarker": quote_plus("".join(found[:1])),
            "NextUploadIdMarker": "1",
            "Uploads": [
                {"Key": quote_plus(key), "UploadId": "1", "Initiated": self.uploads[key]}
                for key in found[:1]
            ],
        }

    def abort_multipart_upload(self, *, Bucket: str, Key: str, UploadId: str) -> None:  # noqa: N803
        if Key in self.ended:
            raise ClientError({"Error": {"Code": "NoSuchUpload"}}, "AbortMultipartUpload")
        del self.uploads[Key]
