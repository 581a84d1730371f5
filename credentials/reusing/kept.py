"""Sessions in the memory of this process, to be served again. Pure.

Nothing here is written down anywhere: losing it costs one call of STS per session. Whether a kept
session may still be served is for the database to say, every time.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from credentials.durations import REFRESHING_FLOOR

FLOOR = timedelta(seconds=REFRESHING_FLOOR)
# A session with its policy takes about 4 kB: some 4 MB for each process when full. Being pushed
# out costs one call of STS more, nothing else.
MOST_SESSIONS = 1000

Session = TypeVar("Session")


@dataclass(frozen=True, kw_only=True)
class SessionKey:
    """All that must be equal for a session to be served again: who asks, for what, in what way.

    Builds belong to a job token, or to a client through any of its keys. The key that was shown
    is part of this all the same, so that one key's sessions never leave with another.
    `signer_key_id` is the key that stands in for a session, where one does.
    """

    build_id: int
    delivery: str
    policy: str
    seconds: int
    role_arn: str
    region: str
    endpoint_url: str
    client_id: int
    api_key_id: int | None
    job_token_id: int | None
    signer_key_id: str = ""


class KeptSessions(Generic[Session]):
    """A bounded number of sessions, the one longest unused pushed out first. Safe to share."""

    def __init__(self, most: int = MOST_SESSIONS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[SessionKey, tuple[datetime, Session]] = OrderedDict()

    def get(self, key: SessionKey, now: datetime) -> Session | None:
        """The session, if more than 16 minutes of it remain: with less, SDKs ask at every call."""
        with self._lock:
            if (found := self._kept.get(key)) is None:
                return None
            expires_at, session = found
            if expires_at - now <= FLOOR:
                del self._kept[key]
                return None
            self._kept.move_to_end(key)
            return session

    def keep(self, key: SessionKey, session: Session, expires_at: datetime, now: datetime) -> None:
        """Remember a session; those that are too old to be served are forgotten meanwhile."""
        with self._lock:
            self._kept[key] = (expires_at, session)
            self._kept.move_to_end(key)
            self._forget([old for old, (end, _) in self._kept.items() if end - now <= FLOOR])
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def drop(self, key: SessionKey) -> None:
        """Forget one session."""
        with self._lock:
            self._kept.pop(key, None)

    def drop_build(self, build_id: int) -> None:
        """Forget the sessions of a build, whoever's they are."""
        with self._lock:
            self._forget([key for key in self._kept if key.build_id == build_id])

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def _forget(self, keys: list[SessionKey]) -> None:
        for key in keys:
            del self._kept[key]
