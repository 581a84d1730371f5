"""A stand-in for a store's end of the connection that uploads are sent through."""

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import HTTPClientError

from builds.errors import DomainError


@dataclass
class FakeStore:
    """Reads what is sent, as urllib3 would; `parts` is what arrived, also of what broke off."""

    status: int = 200
    answer: bytes = b""
    error: Exception | None = None
    during: Callable[[], object] = lambda: None
    requests: list[Any] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)

    def send(self, request: Any) -> Any:
        self.requests.append(request)
        self.during()
        if self.error:
            raise self.error
        try:
            self.parts.extend(request.body)
        except DomainError as err:  # as URLLib3Session does
            raise HTTPClientError(error=err) from None
        return SimpleNamespace(status_code=self.status, content=self.answer)
