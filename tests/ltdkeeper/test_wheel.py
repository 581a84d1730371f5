"""The wheel of the service, installed where the clone is out of reach."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("builds", "credentials", "ltdkeeper")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
SETTINGS = """
LTD_SECRET_KEY=only-for-checks-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFG
LTD_PUBLIC_URL=https://keeper.example.org
LTD_TRUSTED_PROXIES=1
LTD_ALLOW_SQLITE=true
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", folder]
    subprocess.run([*PIP, "wheel", *options, folder / "source"], check=True)
    [wheel] = folder.glob("ltdkeeper-*.whl")
    return wheel


def test_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    sources = {path for name in PACKAGES for path in (wheel.parent / "source" / name).rglob("*")}
    names = {str(path.relative_to(wheel.parent / "source")) for path in sources if path.is_file()}
    packed = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert packed == names


def test_installed_program_reads_and_writes_where_it_is_started(
    wheel: Path, tmp_path: Path
) -> None:
    """Its virtual environment holds the wheel alone, beside the packages of this one."""
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    alone = ["--python", python, "install", "--no-deps", "--no-index"]
    subprocess.run([*PIP, *alone, wheel], check=True)
    [packages] = tmp_path.glob("env/lib/*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    (tmp_path / ".env").write_text(SETTINGS)
    for command in (["migrate", "-v0"], ["check", "--deploy", "--fail-level", "WARNING"]):
        program, environment = python.with_name("ltdkeeper"), {"PATH": os.environ["PATH"]}
        subprocess.run([program, *command], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "db.sqlite3").stat().st_size > 0
