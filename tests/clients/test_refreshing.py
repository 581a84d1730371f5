"""An upload that outlives five sessions, on a store where sessions really end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.jobs import SLOWLY, upload_job, uploader
from tests.clients.matrix import Row
from tests.clients.programs import UPLOADS, executable, run
from tests.clients.scene import PRODUCT, Scene, running_scene
from tests.clients.sites import make_pages
from tests.clients.trees import tree_on_disk
from tests.store.stage import Account

SCALE = 300  # as in brief_sessions.py, which changes the process that imports it
SESSION_SECONDS = 1800 // SCALE
UPLOAD_SECONDS = 5 * SESSION_SECONDS
PAGES = 150
# Of a session's 6 s: the 3 s that botocore wants left, and what `Expiration` loses of a second.
SHORTEST_USE_SECONDS = SESSION_SECONDS - 15 * 60 / SCALE - 1


@pytest.fixture
def brief_scene(account: Account, tmp_path: Path) -> Iterator[Scene]:
    # Both ends of STS are told that such durations are meant.
    config = tmp_path / "aws-config"
    config.write_text("[default]\nparameter_validation = false\n")
    settings = {
        "DJANGO_SETTINGS_MODULE": "tests.clients.brief_sessions",
        "AWS_CONFIG_FILE": str(config),
    }
    with running_scene(account, tmp_path, **settings) as scene:
        yield scene


@pytest.mark.way("boto3, longer than five sessions")
def test_no_file_is_lost_to_expiry(brief_scene: Scene, row: Row, tmp_path: Path) -> None:
    site = make_pages(tmp_path / "site", PAGES)
    build = brief_scene.uploader.register(PRODUCT)
    command = [executable("boto3"), str(UPLOADS / "slowly.py"), str(site), build.bucket, build.root]
    with brief_scene.counter.counting() as counts:
        lasted = run([*command, str(UPLOAD_SECONDS), str(SCALE)], env=brief_scene.container(build))
    assert brief_scene.tree_of(build) == tree_on_disk(site)
    assert set(counts.deliveries) == set(row.promised[1])
    most = float(lasted) / SHORTEST_USE_SECONDS + 1
    assert 5 <= len(counts.deliveries) == counts.sts <= len(counts.calls) <= most


@pytest.mark.way("ltdkeeper-upload, longer than five sessions")
def test_uploader_of_this_project_loses_no_file_either(
    brief_scene: Scene, row: Row, tmp_path: Path
) -> None:
    site = make_pages(tmp_path / "site", PAGES)
    pause = str(UPLOAD_SECONDS / PAGES)
    with brief_scene.counter.counting() as counts:
        run(uploader(*SLOWLY, pause, str(SCALE), str(site)), env=upload_job(brief_scene))
    build, described = brief_scene.newest_build(PRODUCT)
    assert described["state"] == "finished"
    assert brief_scene.tree_of(build) == tree_on_disk(site)
    assert set(counts.deliveries) == set(row.promised[1])
    assert counts.deliveries.count("container") >= 5
