"""The site to upload: what is read of a folder, and what is said when there is none."""

from pathlib import Path

import pytest

from demo.errors import DemoError
from demo.folder import WorkFolder
from demo.site import begin_site, read_site


def test_every_file_is_read_with_name_size_and_type(tmp_path: Path) -> None:
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "a b.css").write_text("body {}")
    (tmp_path / "index.html").write_text("<p>")
    found = [(file.name, file.size, file.content_type) for file in read_site(tmp_path)]
    assert found == [("_static/a b.css", 7, "text/css"), ("index.html", 3, "text/html")]


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("objects.inv", "application/octet-stream"),
        ("search.js.gz", "application/gzip"),
        ("logo.svg", "image/svg+xml"),
        (".nojekyll", "application/octet-stream"),
    ],
)
def test_type_is_of_the_file_itself(tmp_path: Path, name: str, content_type: str) -> None:
    (tmp_path / name).write_text("x")
    assert read_site(tmp_path)[0].content_type == content_type


def test_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="not a folder"):
        read_site(tmp_path / "missing")


def test_file_instead_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>")
    with pytest.raises(DemoError, match="not a folder"):
        read_site(tmp_path / "index.html")


def test_empty_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "only" / "folders").mkdir(parents=True)
    with pytest.raises(DemoError, match="no files"):
        read_site(tmp_path)


def test_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "caf\udce9.html").write_text("x")
    with pytest.raises(DemoError, match="not UTF-8"):
        read_site(tmp_path)


def test_failing_sphinx_is_told_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "conf.py").write_text("raise ValueError('a broken conf.py')")
    monkeypatch.setattr("demo.site.ROOT", tmp_path)
    folder = WorkFolder("play", root=tmp_path / "work")
    with (
        folder.opened(),
        begin_site(folder=folder, site="") as finished_site,
        pytest.raises(DemoError, match="a broken conf"),
    ):
        finished_site()


def test_second_run_in_the_same_folder_is_told(tmp_path: Path) -> None:
    folder = WorkFolder("play", root=tmp_path)
    with folder.opened(), pytest.raises(DemoError, match="Another run"), folder.opened():
        pass


def test_two_kinds_of_run_share_a_folder(tmp_path: Path) -> None:
    with WorkFolder("play", root=tmp_path).opened(), WorkFolder("serve", root=tmp_path).opened():
        assert {path.name for path in tmp_path.iterdir()} == {"play", "serve"}


def test_new_run_starts_without_an_older_database(tmp_path: Path) -> None:
    folder = WorkFolder("play", root=tmp_path)
    with folder.opened():
        Path(f"{folder.database}-wal").write_text("older")
    with folder.opened():
        assert folder.written_files() == []
