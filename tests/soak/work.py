"""What goes on during a soak: CI jobs, uploads with six programs, an operator in the admin.

Everything is told to a `Tally`. A job takes about ten calls; `Pace` says how many a second begin.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import requests
from botocore.exceptions import MetadataRetrievalError
from botocore.utils import ContainerMetadataFetcher

from demo.service import Service
from tests.browser import PASSWORD, USERNAME
from tests.clients.jobs import UPLOAD, upload_job, uploader
from tests.clients.matrix import read_matrix
from tests.clients.programs import UPLOADS, executable, run
from tests.clients.scene import PRODUCT, Scene
from tests.clients.sites import files_of
from tests.clients.test_aws_cli import s3_command
from tests.clients.test_curl import ask, put, wanted
from tests.clients.test_other_programs import WAYS, Command, credentials, digests
from tests.clients.trees import tree_on_disk
from tests.soak.tally import Tally
from tests.store.answers import ACCEPTED, Answer, answer_to
from tests.store.uploader import RegisteredBuild, Uploader, build_in, key_in

REFRESHES = 3
DIRECTORIES = [f"section/{number}/" for number in range(20)]
FILES = [{"key": "index.html", "size": 0, "sha256": "0" * 64}]
REGISTER, FINISH = {"git_refs": ["main"]}, {"uploaded": True, "empty": True}
# Kinds of calls that are to be refused.
FINISHED, REVOKED = "issue for a finished build, refused", "issue for a revoked job, refused"
TOKEN_FIELD = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
PAGES = {
    "front page": "",
    "sessions": "credentials/issuedsession/",
    "builds": "builds/build/",
    "find": "find/?q={key}",
    "clients": "credentials/client/",
    "deliveries": "credentials/webhookdelivery/",
    "runs": "credentials/jobrun/",
    "findings": "credentials/auditfinding/",
    "revocations": "credentials/revocation/",
}


class Pace:
    """Turns of several threads: as they come, and from `settle` on so many a second.

    What is late is not made up for: a machine that was busy elsewhere is not overloaded then.
    """

    def __init__(self, ended: threading.Event) -> None:
        self._lock, self._ended = threading.Lock(), ended
        self._gap, self._next = 0.0, 0.0
        self.turns = 0

    def settle(self, per_second: float) -> None:
        self._gap = 1 / per_second

    def wait(self) -> bool:
        """Until it is a thread's turn; False at the end."""
        with self._lock:
            now = time.monotonic()
            self._next = turn = max(now, self._next + self._gap)
            self.turns += 1
        return not self._ended.wait(turn - now)


def register(tally: Tally, caller: Uploader) -> RegisteredBuild:
    path = f"/products/{PRODUCT}/builds/"
    return build_in(tally.call("register", lambda: caller.call("POST", path, REGISTER), 201).json())


@contextmanager
def ci_job(tally: Tally, client: Uploader) -> Iterator[tuple[Uploader, RegisteredBuild]]:
    """A job with a token of its own, and a build."""
    path = f"/token?format=json&product={PRODUCT}"
    token = tally.call("begin a job", lambda: client.call("GET", path)).json()["token"]
    with closing(Uploader(client.url, api_key=token, store="")) as job:
        yield job, register(tally, job)


def work_in_job(tally: Tally, client: Uploader, fetcher: ContainerMetadataFetcher) -> None:
    """What the tools of a job ask of the service. After the end they get nothing."""
    with ci_job(tally, client) as (job, build):

        def call(kind: str, method: str, what: str = "", body: Any = None, code: int = 200) -> None:
            tally.call(kind, lambda: job.call(method, f"{build.url}{what}", body), code)

        call("issue", "POST", "/credentials", {})
        for _ in range(REFRESHES):
            with tally.timed("refresh, by an SDK"):
                _refresh(tally, fetcher, job, build)
        call("presigned POSTs, 20", "POST", "/presigned-posts", {"directories": DIRECTORIES})
        call("presigned PUT", "POST", "/presigned-urls", {"files": FILES})
        call("read a build", "GET")
        call("finish", "PATCH", body=FINISH)
        call(FINISHED, "POST", "/credentials", {}, 409)


def _refresh(
    tally: Tally, fetcher: ContainerMetadataFetcher, job: Uploader, build: RegisteredBuild
) -> None:
    try:
        fetcher.retrieve_full_uri(f"{build.url}/credentials", job.authorization)
    except MetadataRetrievalError as err:  # after three attempts of two seconds
        tally.later["refresh, by an SDK"] += 1
        if not re.search(r"\(503\)|timed? ?out", str(err)):
            tally.wrong.append(f"refresh: {err}")


def _boto3(_scene: Scene, site: Path, build: RegisteredBuild) -> list[str]:
    tree = str(UPLOADS / "boto3_tree.py")
    return [executable("boto3"), tree, str(site), build.bucket, build.root]


# By their rows in docs/reference/programs.rst.
PROGRAMS: Mapping[str, Command] = {
    "boto3, eight threads": _boto3,
    "aws s3 sync, twice": lambda _, site, build: s3_command("sync", site, build),
    "rclone 1.75, with flags": WAYS["rclone 1.75, with flags"],
    "s3cmd": WAYS["s3cmd"],
}
Upload = Callable[[RegisteredBuild], object]


class Uploads:
    """Uploads of a site with each program, each into a build of its own, looked at afterwards."""

    def __init__(self, tally: Tally, scene: Scene, site: Path, folder: Path) -> None:
        self._tally, self._scene, self._site, self._folder = tally, scene, site, folder
        self._tree = digests(tree_on_disk(site))
        self.ways: dict[str, Upload | None] = {
            **{way: self._with(way, command) for way, command in PROGRAMS.items()},
            "curl, presigned PUT": self._curl,
            "ltdkeeper-upload": None,  # it registers and finishes by itself
        }

    def upload(self, way: str) -> None:
        """A program that gave up because the service was busy is started again."""
        log = self._scene.service.log
        size, unanswered = log.stat().st_size, self._scene.counter.relay.unanswered
        try:
            self._upload(way)
        except AssertionError:
            with log.open("rb") as file:
                file.seek(size)
                was_busy = b'"status": 503' in file.read()
            if not was_busy and self._scene.counter.relay.unanswered == unanswered:
                raise
            self._tally.later[f"upload: {way}"] += 1

    def _upload(self, way: str) -> None:
        scene, kind = self._scene, f"upload: {way}"
        with closing(Uploader(scene.service.url, api_key=scene.api_key, store="")) as client:
            if upload := self.ways[way]:
                build = register(self._tally, client)
                with self._tally.timed(kind):
                    upload(build)
                self._tally.call("finish", lambda: client.call("PATCH", build.url, FINISH))
            else:
                job = upload_job(scene) | {"LTDKEEPER_URL": scene.service.url}
                with self._tally.timed(kind):
                    printed = run(uploader(*UPLOAD, str(self._site)), env=job)
                url = printed.partition("\n")[0]
                read = self._tally.call("read a build", lambda: client.call("GET", url))
                build = build_in(read.json())
        if digests(scene.tree_of(build)) != self._tree:
            self._tally.wrong.append(f"{way}: {build.root} is not the site")

    def _with(self, way: str, command: Command) -> Upload:
        row, folder = read_matrix()[way], self._folder / way.replace(" ", "-")
        folder.mkdir()

        def upload(build: RegisteredBuild) -> None:
            environment = credentials(self._scene, row, build, folder)
            run(command(self._scene, self._site, build), env=environment)

        return upload

    def _curl(self, build: RegisteredBuild) -> None:
        body = {"files": list(wanted(self._site))}
        signed = ask(self._scene, build, "presigned-urls", body, self._folder)["urls"]
        for name, path in files_of(self._site):
            run(put(signed[name], path), env=self._scene.environment)


def revoked_job(
    tally: Tally, scene: Scene, client: Uploader, operator: "Operator"
) -> Callable[[], Answer]:
    """A job whose session an operator finds and revokes; what writes with that session."""
    with ci_job(tally, client) as (job, build):
        key = key_in(tally.call("issue", lambda: job.ask(build)).json())
        s3 = scene.account.store.client("s3", key)
        page = {"Bucket": build.bucket, "Key": f"{build.root}/page"}
        put = lambda: answer_to(lambda: s3.put_object(**page, Body=b"x"))  # noqa: E731
        assert put() == ACCEPTED
        operator.look_around(key.access_key_id)
        operator.revoke(key.access_key_id)
        tally.call(REVOKED, lambda: job.ask(build), 401)
    return put


class Operator:
    """Somebody in the admin, with the cookies of a browser."""

    def __init__(self, tally: Tally, service: Service) -> None:
        self._tally, self._url = tally, service.inside_url
        self._http = requests.Session()
        self._http.trust_env = False
        # One that was left open for long may be closed at the very moment that it is used again.
        self._http.headers["Connection"] = "close"
        login = f"{self._url}/admin/login/"
        fields = {"username": USERNAME, "password": PASSWORD, "next": "/admin/"}
        fields["csrfmiddlewaretoken"] = self._token(login)
        assert "Log out" in self._http.post(login, fields, timeout=120).text

    def _token(self, page: str) -> str:
        [token, *_] = TOKEN_FIELD.findall(self._http.get(page, timeout=120).text)
        return token

    def look_around(self, access_key_id: str) -> None:
        for name, path in PAGES.items():
            address = f"{self._url}/admin/{path.format(key=access_key_id)}"
            get = lambda address=address: self._http.get(address, timeout=120)  # noqa: E731
            self._tally.call(f"admin: {name}", get)

    def revoke(self, access_key_id: str) -> None:
        body = {"kind": "session", "name": access_key_id, "reason": "tried"}
        headers = {"X-CSRFToken": self._token(f"{self._url}/admin/password_change/")}
        address = f"{self._url}/sessions/revoke"
        post = lambda: self._http.post(address, json=body, headers=headers, timeout=120)  # noqa: E731
        self._tally.call("revoke", post)

    def close(self) -> None:
        self._http.close()
