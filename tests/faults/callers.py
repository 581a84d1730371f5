"""Callers that ask for credentials on and on, whatever the service does, and keep what they got."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.demo.processes import become
from tests.faults.service import CLIENT_SECONDS, Service

# No answer at all: the connection was refused, or ended.
NONE = (0, "")
# What a caller may be told while something is broken: come back, or the store is at fault.
USUAL = {
    NONE,
    (200, ""),
    (201, ""),
    (503, "database_unavailable"),
    (503, "sts_unreachable"),
    (503, "sts_throttled"),
}
REGISTER, UNAVAILABLE = {"git_refs": ["main"]}, 503


class Callers:
    """Each has a build of its own, and asks again as soon as it has its answer.

    `held` maps the access key ids that they were given to roots; `answers` counts what they were
    told. Every second call is that of an SDK which refreshes, where `refreshing`.
    """

    def __init__(self, service: Service, count: int = 8, *, refreshing: bool = False) -> None:
        self.service = service
        self.held: dict[str, str] = {}
        self.answers: Counter[tuple[int, str]] = Counter()
        self._methods = ["POST", "GET"] if refreshing else ["POST"]
        self.usual = USUAL
        self._ended = threading.Event()
        self._count = count
        self.builds: list[str] = []

    def _register(self) -> str:
        path, found = "/products/guide/builds/", []

        def is_registered() -> bool:  # what uses the database may still be coming back
            answer = self.service.call("POST", path, REGISTER, headers=self.service.headers)
            found.append(answer.json().get("self_url", "").rpartition("/")[2])
            return answer.status_code == 201

        assert become(is_registered)
        return f"/builds/{found[-1]}"

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Meanwhile all of them ask."""
        self._ended.clear()
        self.builds = self.builds or [self._register() for _ in range(self._count)]
        threads = [threading.Thread(target=self._ask, args=(build,)) for build in self.builds]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _ask(self, build: str) -> None:
        with requests.Session() as http:
            http.trust_env = False
            while not self._ended.is_set():
                for method in self._methods:
                    self.note(lambda method=method: self._send(http, method, build))
                if self.answers[NONE]:
                    self._ended.wait(0.01)  # nobody listens: others need the processor

    def _send(self, http: requests.Session, method: str, build: str) -> requests.Response:
        return http.request(
            method,
            f"{self.service.url}{build}/credentials",
            json={} if method == "POST" else None,
            headers=self.service.headers,
            timeout=CLIENT_SECONDS,
        )

    def note(self, send: Any) -> tuple[int, str]:
        """Call, and keep what came."""
        try:
            answer = send()
            document = answer.json()
        except requests.RequestException:
            self.answers[NONE] += 1
            return NONE
        if "AccessKeyId" in document:
            self.held[document["AccessKeyId"]] = document["root"]
        told = (answer.status_code, document.get("code", ""))
        if told[0] == UNAVAILABLE and "Retry-After" not in answer.headers:
            told = (UNAVAILABLE, f"{told[1]}, without Retry-After")
        self.answers[told] += 1
        return told

    def wait_for_more(self, sessions: int = 1) -> None:
        """Until so many more were issued: the service works."""
        enough = len(self.held) + sessions
        assert become(lambda: len(self.held) >= enough)

    def wait_for_answers(self, count: int) -> None:
        """Until so many more came, whatever they say."""
        enough = self.answers.total() + count
        assert become(lambda: self.answers.total() >= enough)

    def wait_to_be_told(self, told: tuple[int, str]) -> None:
        """Until that was an answer once more: the fault is felt."""
        before = self.answers[told]
        assert become(lambda: self.answers[told] > before)

    @property
    def unusual(self) -> dict[tuple[int, str], int]:
        """Answers that no fault explains."""
        return {told: count for told, count in self.answers.items() if told not in self.usual}
