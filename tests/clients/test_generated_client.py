"""A client that is generated from the OpenAPI document, and used as it comes."""

from pathlib import Path

from tests.clients.programs import UPLOADS, executable, run
from tests.clients.scene import PRODUCT, Scene
from tests.store.uploader import build_in

GENERATOR = "openapi-python-client"


def test_generated_client_runs_the_whole_life_of_a_build(scene: Scene, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_bytes(scene.uploader.call("GET", "/openapi.json").content)
    bin_folder = Path(executable(GENERATOR)).parent
    environment = scene.environment | {
        "PATH": f"{bin_folder}:{scene.environment['PATH']}",
        "PYTHONPATH": str(tmp_path),
        "API_KEY": scene.api_key,
    }
    options = ("--output-path", str(tmp_path / "keeper_client"), "--meta", "none")
    generate = (executable(GENERATOR, GENERATOR), "generate", "--path", str(document), *options)
    run([*generate, "--fail-on-warning"], env=environment)
    command = [executable(GENERATOR), str(UPLOADS / "generated_client.py")]
    written = run([*command, scene.service.inside_url, PRODUCT], env=environment)
    build, told = scene.newest_build(PRODUCT)
    assert build == build_in(told)
    assert written.splitlines()[-1] == build.root
    assert list(scene.tree_of(build)) == ["index.html"]
