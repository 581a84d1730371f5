"""`make bench-clients`: real programs with sessions from here, beside static keys.

In turn, so that whatever else the machine does falls on all alike. `LTD_TEST_STORE` names the
store. Three sides: a session that the program fetches, the same kind of session handed to it in
variables, and a static key. Fetched beside handed is what this service costs; handed beside static
is what the store needs to judge sessions.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import combinations, count
from pathlib import Path
from typing import Any

from credentials.stores.operator import AccessKey
from tests.bench.pairs import Cost, Side, cost_of, heading, line, measure_in_turn
from tests.clients.jobs import begin_job
from tests.clients.programs import UPLOADS, executable, run
from tests.clients.scene import PRODUCT, Scene, running_scene
from tests.clients.sites import make_pages
from tests.clients.trees import keys_below
from tests.store.stage import prepared_account
from tests.store.started import store_under_test

Command = Callable[[Path, str, str], list[str]]
NUMBERS = count(1)
FETCHED, HANDED, STATIC = "fetched", "handed", "static"
DELETED_AT_ONCE = 1000


def script(program: str, name: str, site: Path, bucket: str, root: str) -> list[str]:
    return [executable(program), str(UPLOADS / name), str(site), bucket, root]


def aws(name: str, options: list[str], site: Path, bucket: str, root: str) -> list[str]:
    target = f"s3://{bucket}/{root}/"
    command = [executable("aws-cli", "aws"), "s3", name, str(site), target, "--no-progress"]
    return [*command, *options]


# Programs that upload below a root that was registered before.
WAYS: dict[str, Command] = {
    "boto3, eight threads": partial(script, "boto3", "boto3_tree.py"),
    "s3fs": partial(script, "s3fs", "s3fs_tree.py"),
    "aws s3 cp --recursive": partial(aws, "cp", ["--recursive"]),
    "aws s3 sync": partial(aws, "sync", []),
}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Uploads one site again and again, and removes what arrived. Each gives the cost."""

    scene: Scene
    site: Path
    files: int
    folder: Path

    def sides(self, command: Command) -> dict[str, Side]:
        return {
            FETCHED: partial(self._fetched, command),
            HANDED: partial(self._handed, command),
            STATIC: partial(self._static, command),
        }

    def ltd_sides(self) -> dict[str, Side]:
        """It registers by itself, so no session can be handed to it."""
        key = self.scene.account.store.operator
        static = partial(self._ltd, key.access_key_id, key.secret_access_key.reveal())
        return {FETCHED: partial(self._ltd, "", ""), STATIC: static}

    def _fetched(self, command: Command) -> Cost:
        """Fetching credentials is part of the time, registering is not."""
        build = self.scene.uploader.register(PRODUCT)
        environment = self.scene.container(build)
        return self._timed(command(self.site, build.bucket, build.root), environment, build.root)

    def _handed(self, command: Command) -> Cost:
        build = self.scene.uploader.register(PRODUCT)
        environment = self.scene.environment | variables(self.scene.uploader.session(build))
        return self._timed(command(self.site, build.bucket, build.root), environment, build.root)

    def _static(self, command: Command) -> Cost:
        root = f"static/builds/{next(NUMBERS)}"
        environment = self.scene.environment | variables(self.scene.account.store.operator)
        return self._timed(command(self.site, self.scene.account.bucket, root), environment, root)

    def _ltd(self, key_id: str, secret: str) -> Cost:
        """ltd-conveyor 0.4.2 also registers and finishes; with empty keys it gets a session."""
        folder = self.folder / str(next(NUMBERS))
        folder.mkdir()
        job = begin_job(self.scene, PRODUCT, folder)
        what = ["upload", "--product", PRODUCT, "--git-ref", "main", "--dir", str(self.site)]
        keys = ["--aws-id", key_id, "--aws-secret", secret]
        return self._timed([executable("ltd-conveyor-0.4", "ltd"), *what, *keys], job, PRODUCT)

    def _timed(self, command: list[str], environment: dict[str, str], root: str) -> Cost:
        cost = cost_of(partial(run, command, env=environment))
        admin, bucket = self.scene.account.admin, self.scene.account.bucket
        keys = keys_below(admin, bucket=bucket, prefix=f"{root}/")
        pages = sum(key.endswith(".html") for key in keys)
        assert pages == self.files, f"{pages} of {self.files} files arrived"
        remove(admin, bucket, keys)
        return cost


def variables(key: AccessKey) -> dict[str, str]:
    """A key as SDKs find it in the environment."""
    token = key.session_token
    return {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key.reveal(),
    } | ({"AWS_SESSION_TOKEN": token.reveal()} if token else {})


def remove(admin: Any, bucket: str, keys: list[str]) -> None:
    for start in range(0, len(keys), DELETED_AT_ONCE):
        objects = [{"Key": key} for key in keys[start : start + DELETED_AT_ONCE]]
        admin.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})


@contextmanager
def ready(files: int) -> Iterator[Bench]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ltdkeeper-bench-")))
        account = stack.enter_context(prepared_account(stack.enter_context(store_under_test())))
        (folder / "service").mkdir()
        scene = stack.enter_context(running_scene(account, folder / "service"))
        site = make_pages(folder / "site", files)
        yield Bench(scene=scene, site=site, files=files, folder=folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--only", default="", help="ways that begin so")
    parser.add_argument("--rounds", type=int, default=6, help="a multiple of six, to be fair")
    options = parser.parse_args()
    sys.stdout.write(heading() + "\n")
    with ready(options.files) as bench:
        ways = {way: bench.sides(command) for way, command in WAYS.items()}
        for way, sides in {**ways, "ltd upload, 0.4": bench.ltd_sides()}.items():
            if not way.startswith(options.only):
                continue
            rounds = measure_in_turn(sides, rounds=options.rounds)
            for this, that in combinations(sides, 2):
                sys.stdout.write(line(way, rounds, this, that) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
