"""Everything that hands out or meets a secret, played over HTTP."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from builds.models import Build
from builds.services import delete_build
from tests.http.canned_sts import CannedSts
from tests.http.conftest import Send, basic
from tests.http.endpoints import (
    FINISH_BUILD,
    ISSUE,
    PRESIGN_POSTS,
    PRESIGN_URLS,
    REFRESH,
    TOKEN,
    Endpoint,
)

JOB_TOKEN = re.compile(r"ltdj_[a-z0-9]{12}_[0-9a-f]{64}")


class Flows:
    """Everything that hands out or meets a secret, and all secrets so far."""

    def __init__(self, send: Send, store: CannedSts, build: Build, key: str) -> None:
        self.send, self.store, self.build, self.key = send, store, build, key
        self.secrets = [key.rpartition("_")[2], basic("ci", key)]
        self.errors: list[bytes] = []

    def call(self, endpoint: Endpoint, path: str = "", **headers: str) -> Any:
        response = self.send(replace(endpoint, path=endpoint.path + path), **headers)
        if response.status_code >= 400:
            self.errors.append(response.content)
        return response

    def sign_in(self) -> None:
        token = self.call(TOKEN, HTTP_AUTHORIZATION=basic("ci", self.key)).json()["token"]
        self.secrets += [token.rpartition("_")[2], basic(token, "")]
        self.call(ISSUE, HTTP_AUTHORIZATION=basic(token, ""))

    def be_handed_a_job_token(self) -> None:
        for form in ("env", "github", "json"):
            response = self.call(TOKEN, f"?format={form}&product=guide")
            token = JOB_TOKEN.findall(response.content.decode())[0]
            self.secrets += [token.rpartition("_")[2], basic("ci", token)]
            self.call(ISSUE, HTTP_AUTHORIZATION=basic("ci", token))
            self.call(TOKEN, "?format=csh", HTTP_AUTHORIZATION=basic("ci", token))

    def issue(self) -> None:
        for endpoint, path in ((ISSUE, ""), (REFRESH, ""), (REFRESH, "?delivery=process")):
            assert self.call(endpoint, path).status_code == 200

    def presign(self) -> None:
        posts = self.call(PRESIGN_POSTS).json()
        for title in ("post_prefix_urls", "post_dir_urls"):
            for post in posts[title].values():
                self.secrets += [post["fields"]["x-amz-signature"], post["fields"]["policy"]]
        [put] = self.call(PRESIGN_URLS).json()["urls"].values()
        self.secrets.append(put["url"].partition("X-Amz-Signature=")[2])

    def be_refused_by_sts(self) -> None:
        for code in ("Throttling", "AccessDenied", "ExpiredToken", "PackedPolicyTooLarge", "New"):
            self.store.answer = lambda code=code: self.store.refusal(code)  # type: ignore[misc]
            self.call(ISSUE)

    def meet_broken_answers(self) -> None:
        names = ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "Credentials"]
        for name in names:
            self.store.answer = lambda name=name: self.store.without(name)  # type: ignore[misc]
            self.call(ISSUE)

    def meet_cut_answers(self) -> None:
        self.store.answer = self.store.cut
        self.call(ISSUE)
        self.call(FINISH_BUILD)

    def be_withheld(self) -> None:
        def closing() -> tuple[int, str]:
            delete_build(build_id=self.build.pk, now=self.build.registered_at)
            return self.store.session()

        self.store.answer = closing
        assert self.call(ISSUE).status_code == 409

    def finish(self) -> None:
        assert self.call(FINISH_BUILD).status_code == 200

    def show_wrong_keys(self) -> None:
        for key in (self.key[:-1] + "x", self.key + "0", self.key.upper()):
            self.secrets.append(basic("ci", key))
            for header in (f"Bearer {key}", basic("ci", key), key):
                self.call(ISSUE, HTTP_AUTHORIZATION=header)

    def write_the_key_into_addresses(self) -> None:
        get = Endpoint(method="GET", path="/")
        for path in (f"nothing?key={self.key}", self.key, f"products/{self.key}", f"?k={self.key}"):
            self.call(get, path, HTTP_AUTHORIZATION="")


FLOWS: dict[str, Callable[[Flows], None]] = {
    name.replace("_", " "): getattr(Flows, name)
    for name in vars(Flows)
    if not name.startswith("_") and name != "call"
}
