"""A stand-in for boto3's S3 client at finish: one page of a listing, or an error."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class FakeS3:
    """`sizes` are the objects below the root; `requests` holds what was asked; `during` runs in the
    middle of the call; `error` is raised instead of an answer; `truncated` says that there is more
    than the page. With `page_type`, they are pages of that content type.
    """

    sizes: list[int] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    sessions: list[Any] = field(default_factory=list)
    during: Callable[[], object] = lambda: None
    error: Exception | None = None
    truncated: bool = False
    page_type: str = ""

    def client_of(self, vended: Any, _patience: Any) -> "FakeS3":
        """In place of making a client from a listing session."""
        self.sessions.append(vended)
        return self

    def list_objects_v2(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        self.during()
        if self.error:
            raise self.error
        page: dict[str, Any] = {"IsTruncated": self.truncated, "KeyCount": len(self.sizes)}
        if self.sizes:
            prefix = request["Prefix"]
            page["Contents"] = [
                {"Key": f"{prefix}{number}{'.html' if self.page_type else ''}", "Size": size}
                for number, size in enumerate(self.sizes)
            ]
        return page

    def head_object(self, **_request: Any) -> dict[str, Any]:
        return {"ContentType": self.page_type}
