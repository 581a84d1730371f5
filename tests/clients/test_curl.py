"""Nothing but curl: presigned POSTs of a directory, and a presigned PUT for each file."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.matrix import Row
from tests.clients.programs import run
from tests.clients.scene import PRODUCT, Scene
from tests.clients.sites import files_of, guessed_type
from tests.clients.trees import tree_on_disk
from tests.store.uploader import RegisteredBuild


def ask(scene: Scene, build: RegisteredBuild, what: str, body: Any, folder: Path) -> Any:
    """Call the service as docs/how-to/upload.rst does."""
    config = scene.write_curl_config(folder)
    command = ["curl", "-sSfK", str(config), f"{build.url}/{what}", "-d", json.dumps(body)]
    return json.loads(run(command, env=scene.environment))


def post(form: dict[str, Any], name: str, path: Path) -> list[str]:
    fields = {**form["fields"], "Content-Type": guessed_type(name)}
    given = [part for field in fields.items() for part in ("--form-string", "=".join(field))]
    return ["curl", "-sSf", *given, "-F", f'file=@"{quoted(path)}"', form["url"]]


def quoted(path: Path) -> str:
    """A path inside the quotes of curl's `-F`."""
    return str(path).replace("\\", "\\\\").replace('"', '\\"')


def put(signed: dict[str, Any], path: Path) -> list[str]:
    given = [part for header in signed["headers"].items() for part in ("-H", ": ".join(header))]
    return ["curl", "-sSf", "-T", str(path), *given, signed["url"]]


def wanted(site: Path) -> Iterator[dict[str, Any]]:
    for name, path in files_of(site):
        content = path.read_bytes()
        yield {
            "key": name,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "content_type": guessed_type(name),
        }


@pytest.mark.way("curl, presigned PUT")
def test_curl_puts_a_tree(scene: Scene, site: Path, row: Row, tmp_path: Path) -> None:
    build = scene.uploader.register(PRODUCT)
    with scene.counter.counting() as counts:
        answer = ask(scene, build, "presigned-urls", {"files": list(wanted(site))}, tmp_path)
        for name, path in files_of(site):
            run(put(answer["urls"][name], path), env=scene.environment)
    assert scene.tree_of(build) == tree_on_disk(site)
    assert counts.seen == row.promised


@pytest.mark.way("curl, presigned POST")
def test_curl_posts_a_tree(posting: Scene, post_site: Path, row: Row, tmp_path: Path) -> None:
    build = posting.uploader.register(PRODUCT)
    folders = {name: f"{Path(name).parent}/".replace("./", "/") for name, _ in files_of(post_site)}
    with posting.counter.counting() as counts:
        body = {"directories": sorted(set(folders.values()))}
        answer = ask(posting, build, "presigned-posts", body, tmp_path)
        for name, path in files_of(post_site):
            form = answer["post_prefix_urls"][folders[name]]
            run(post(form, name, path), env=posting.environment)
    assert posting.tree_of(build) == tree_on_disk(post_site)
    assert counts.seen == row.promised
