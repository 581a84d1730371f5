"""`make bench-clients`: real programs with sessions from here, beside static keys.

In turn, so that whatever else the machine does falls on all alike. `LTD_TEST_STORE` names the
store. Three sides: a session of this service, which the program fetches; a session of the same
role that was assumed past this service and without a session policy, in variables; a static key.
Fetched beside assumed is what this service and its policies cost, assumed beside static what the
store needs for any session.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from credentials.vending.store_clients import AccessKey
from tests.bench.pairs import Cost, Side, cost_of, heading, line, measure_in_turn
from tests.clients.jobs import UPLOAD, begin_job, upload_job
from tests.clients.programs import UPLOADS, executable, run
from tests.clients.relay import Relay
from tests.clients.scene import PRODUCT, Scene, running_scene
from tests.clients.sites import make_pages
from tests.clients.trees import keys_below
from tests.store.stage import prepared_account
from tests.store.started import store_under_test
from tests.store.uploader import RegisteredBuild, key_in

Command = Callable[[Path, str, str], list[str]]
NUMBERS = count(1)
FETCHED, ASSUMED, STATIC = "fetched", "assumed", "static"
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
            ASSUMED: partial(self._assumed, command),
            STATIC: partial(self._static, command),
        }

    def ltd_sides(self) -> dict[str, Side]:
        """ltd-conveyor 0.4.2 registers and finishes with a job token, whatever it uploads with."""
        key = self.scene.account.store.operator
        return {
            FETCHED: self._ltd,
            ASSUMED: lambda: self._ltd(variables=in_environment(self._whole_role())),
            STATIC: partial(self._ltd, key.access_key_id, key.secret_access_key.reveal()),
        }

    def uploader_sides(self) -> dict[str, Side]:
        """ltdkeeper-upload registers and finishes too, beside nothing but boto3's transfer."""
        transfer = partial(script, "boto3", "transfer_tree.py")
        job = upload_job(self.scene)
        command = [executable("boto3"), *UPLOAD, str(self.site)]
        return {
            FETCHED: lambda: self._timed(command, job, PRODUCT),
            ASSUMED: partial(self._assumed, transfer),
            STATIC: partial(self._static, transfer),
        }

    def _fetched(self, command: Command) -> Cost:
        return self._below_a_root(command, self.scene.container)

    def _assumed(self, command: Command) -> Cost:
        return self._with(self._whole_role(), command)

    def _static(self, command: Command) -> Cost:
        return self._with(self.scene.account.store.operator, command)

    def _with(self, key: AccessKey, command: Command) -> Cost:
        environment = self.scene.environment | in_environment(key)
        return self._below_a_root(command, lambda _: environment)

    def _whole_role(self) -> AccessKey:
        """A session that is not narrowed by a policy of its own."""
        account = self.scene.account
        sts = account.store.client("sts", account.vendor)
        assumed = sts.assume_role(RoleArn=account.row.role_arn, RoleSessionName="whole")
        return key_in(assumed["Credentials"])

    def _below_a_root(
        self, command: Command, environment_for: Callable[[RegisteredBuild], dict[str, str]]
    ) -> Cost:
        """Roots are alike on all sides. Fetching credentials is timed, registering is not."""
        build = self.scene.uploader.register(PRODUCT)
        environment = environment_for(build)
        return self._timed(command(self.site, build.bucket, build.root), environment, build.root)

    def _ltd(
        self, key_id: str = "", secret: str = "", *, variables: Mapping[str, str] = {}
    ) -> Cost:
        """With empty keys it looks for credentials as every SDK does: variables come first."""
        folder = self.folder / str(next(NUMBERS))
        folder.mkdir()
        job = begin_job(self.scene, PRODUCT, folder) | variables
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


def in_environment(key: AccessKey) -> dict[str, str]:
    """A key as SDKs find it in the environment."""
    token = key.session_token.reveal()
    return {
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key.reveal(),
    } | ({"AWS_SESSION_TOKEN": token} if token else {})


def remove(admin: Any, bucket: str, keys: list[str]) -> None:
    for start in range(0, len(keys), DELETED_AT_ONCE):
        objects = [{"Key": key} for key in keys[start : start + DELETED_AT_ONCE]]
        admin.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})


@contextmanager
def ready(files: int, *, away_ms: float = 0.0) -> Iterator[Bench]:
    """With a store whose answers take `away_ms` longer than they do on this machine."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ltdkeeper-bench-")))
        store = stack.enter_context(store_under_test())
        if away_ms:
            port = urlsplit(store.endpoint_url).port or 0
            relay = stack.enter_context(Relay(port, seconds=away_ms / 1000))
            store = replace(store, endpoint_url=f"http://127.0.0.1:{relay.port}")
        account = stack.enter_context(prepared_account(store))
        (folder / "service").mkdir()
        scene = stack.enter_context(running_scene(account, folder / "service"))
        site = make_pages(folder / "site", files)
        yield Bench(scene=scene, site=site, files=files, folder=folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--only", default="", help="ways that begin so")
    parser.add_argument("--away-ms", type=float, default=0.0, help="how far the store is")
    parser.add_argument("--rounds", type=int, default=6, help="a multiple of six, to be fair")
    options = parser.parse_args()
    with ready(options.files, away_ms=options.away_ms) as bench:
        store = bench.scene.account.store
        where = f"{store.kind} {store.version}, {options.away_ms:g} ms away"
        sys.stdout.write(f"{options.files} files, {where}\n{heading()}\n")
        ways = {way: bench.sides(command) for way, command in WAYS.items()}
        ways |= {"ltdkeeper-upload": bench.uploader_sides(), "ltd upload, 0.4": bench.ltd_sides()}
        for way, sides in ways.items():
            if not way.startswith(options.only):
                continue
            rounds = measure_in_turn(sides, rounds=options.rounds)
            for this, that in combinations(sides, 2):
                sys.stdout.write(line(way, rounds, this, that) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
