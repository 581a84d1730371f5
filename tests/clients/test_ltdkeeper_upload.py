"""This project's own uploader, as a process, on a store that enforces policies."""

import subprocess
from pathlib import Path

import pytest

from tests.clients.jobs import SLOWLY, UPLOAD, upload_job, uploader
from tests.clients.matrix import Row
from tests.clients.programs import run
from tests.clients.scene import PRODUCT, Scene
from tests.clients.sites import make_pages
from tests.clients.trees import tree_on_disk
from tests.store.uploader import build_in


@pytest.mark.way("ltdkeeper-upload")
def test_a_tree_arrives_and_is_finished(scene: Scene, site: Path, row: Row) -> None:
    with scene.counter.counting() as counts:
        printed = run(uploader(*UPLOAD, str(site)), env=upload_job(scene))
    build, described = scene.newest_build(PRODUCT)
    assert scene.tree_of(build) == tree_on_disk(site)
    assert counts.seen == row.promised
    assert (described["state"], described["git_refs"]) == ("finished", ["main"])
    assert printed.startswith(f"{build.url}\n")
    assert scene.api_key not in printed


def test_a_tree_arrives_through_the_service(scene: Scene, site: Path) -> None:
    """Though the service takes fewer files at once than the program sends."""
    through = uploader(*UPLOAD, str(site), "--through-service")
    with scene.counter.counting() as counts:
        printed = run(through, env=upload_job(scene))
    build, described = scene.newest_build(PRODUCT)
    assert scene.tree_of(build) == tree_on_disk(site)
    assert (described["state"], set(counts.deliveries)) == ("finished", {"upload", "list"})
    assert "Trying again" not in printed


def test_killed_upload_is_continued_or_started_again(scene: Scene, tmp_path: Path) -> None:
    """Continued, it skips what has arrived; started again, it makes another build."""
    site = make_pages(tmp_path / "site", 20)
    with subprocess.Popen(
        uploader(*SLOWLY, "0.5", "1", str(site)),
        env=upload_job(scene),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        url = process.stderr.readline().split()[-1]
        killed = build_in(scene.uploader.call("GET", url).json())
        while len(scene.tree_of(killed)) < 2:
            assert process.poll() is None
        process.kill()
    arrived = len(scene.tree_of(killed))
    continued = run(uploader(*UPLOAD, str(site), "--build", url), env=upload_job(scene))
    again = run(uploader(*UPLOAD, str(site)), env=upload_job(scene))
    assert f"{20 - arrived} of {20 - arrived} files" in continued
    assert "20 of 20 files" in again
    assert scene.tree_of(killed) == tree_on_disk(site)
