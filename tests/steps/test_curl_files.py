"""curl itself reads from its file exactly what was meant."""

import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credentials.job_environment.variables import credentials_curl, curl_value
from credentials.rules.secret import Secret
from tests.credentials.job_environment.steps import TOKEN, step
from tests.loopback import serving

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
SEVERAL = settings(max_examples=60)
OFTEN = st.text(st.sampled_from("\\\"'#=:;$`%&@ {}[]tnrvx"), max_size=12)


class Echo(BaseHTTPRequestHandler):
    """Answers with the path and the header `Authorization` that it got."""

    def do_GET(self) -> None:
        body = f"{self.path}\n{self.headers['Authorization']}".encode("latin-1")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with serving(Echo) as url:
        yield url


def asked(config: str, folder: Path) -> tuple[str, str]:
    """The path and the header that a server gets from curl with a file."""
    file = folder / "curl"
    file.write_text(config, encoding="utf-8")
    command = ["curl", "-q", "--noproxy", "*", "--config", str(file)]
    done = subprocess.run(command, capture_output=True, check=True)
    path, _, header = done.stdout.decode().partition("\n")
    return path, header


@SEVERAL
@given(text=OFTEN)
def test_value_arrives_as_it_is(text: str, echo: str, tmp_path: Path) -> None:
    value = f"x{text}x"
    header = curl_value(f"Authorization: {value}")
    config = f'silent\nurl = "{echo}/"\nheader = {header}\n'
    assert asked(config, tmp_path) == ("/", value)


def test_file_makes_the_whole_request(echo: str, tmp_path: Path) -> None:
    config = credentials_curl(step(host=echo), "handbook")
    path = "/credentials?product=handbook&delivery=process"
    assert asked(config, tmp_path) == (path, f"Bearer {TOKEN}")


def test_token_cannot_add_a_line_to_the_file() -> None:
    with pytest.raises(ValueError, match="control characters"):
        credentials_curl(step(token=Secret('x"\noutput = "/etc/passwd')), "handbook")
