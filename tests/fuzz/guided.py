"""`python -m tests.fuzz.guided SECONDS`, as `make fuzz` calls it: a second fuzzer for what reads
texts of strangers, each reader for so many seconds.

atheris, which is libFuzzer for Python, keeps an input that took a branch which none took before,
and changes it further. A reader may not raise, take ten seconds or a gigabyte, or find what its
counterpart here does not. An input that makes it do so is left in `.build`.
"""

import base64
import os
import re
import sys
from collections.abc import Callable
from contextlib import nullcontext, redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, NoReturn
from unittest.mock import patch

import django
import jwt
import msgspec
from django.apps import apps

try:
    import atheris
except ImportError:  # it is installed by `make fuzz`, where there is a package for the machine
    atheris = None

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
READERS = ["builds", "credentials", "ltdkeeper"]
with redirect_stderr(StringIO()), atheris.instrument_imports(READERS) if atheris else nullcontext():
    if not apps.ready:
        django.setup()
    from credentials.access.identity_tokens import ALGORITHMS, read_unverified
    from credentials.errors import InvalidIdentityToken, PolicyTooLarge
    from credentials.operations.audit import trail_files
    from credentials.rules.cloudtrail import Call, Record, judge
    from credentials.rules.cloudtrail import recognise as recognise_record
    from credentials.rules.identifiers import MOST, Kind, recognise
    from credentials.rules.policy import Scope, permissions, session_policy
    from credentials.rules.policy_comparison import (
        UnreadableDocumentError,
        difference,
        is_same,
        statements_of,
    )
    from credentials.rules.tokens import parse_token, public_name
    from ltdkeeper.logs import mask_tokens
    from tests.credentials.operations.audit.trail_records import SESSION, WATCHED
    from tests.fuzz.cases import encoded_part
    from tests.fuzz.test_files import WHOLE_LOG, read_log

SECRET = "0123456789abcdef" * 4
TOKEN = f"ltdk_y8jw59d6g3it_{SECRET}"
SCOPE = Scope(
    partition="aws", bucket="docs-bucket", root="guide/builds/v1", may_list_bare_root=True
)
POLICY = session_policy(SCOPE)


def text_of(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def read_tokens(data: bytes) -> None:
    text = text_of(data)
    if token := parse_token(text):
        secret = token.unverified_secret.reveal()
        assert text == f"{token.kind}_{token.public_id}_{secret}"
        assert secret not in repr(token)
    assert text.startswith(public_name(text))


def read_identity_tokens(data: bytes) -> None:
    """Header, claims and signature, a line each: PyJWT, which verifies, sees the same."""
    text = ".".join(map(encoded_part, data.split(b"\n")[:3]))
    with suppress(InvalidIdentityToken, jwt.PyJWTError):
        issuer, key_id = read_unverified(text)
        seen = jwt.decode_complete(text, options={"verify_signature": False})
        assert (seen["payload"]["iss"], seen["header"]["kid"]) == (issuer, key_id)
        assert seen["header"]["alg"] in ALGORITHMS


class Log(msgspec.Struct, rename="pascal"):
    records: list[Record]


def calls_in(data: bytes) -> list[Call] | None:
    """Those of a log that is read at once; None where that is no log."""
    try:
        records = msgspec.json.decode(data, type=Log).records
    except trail_files.UNREADABLE:
        return None
    return [call for each in records if (call := recognise_record(each, WATCHED))]


def read_logs(data: bytes) -> None:
    """A log that is read in pieces, large or small, hides no call unless it is said to be bad."""
    wanted = None if rb"\u" in data else calls_in(data)
    for piece in (64, 1 << 18):
        with patch.object(trail_files, "PIECE", piece):
            parts = read_log(data)
        calls = [call for each in parts for call in each.calls]
        for call in calls:
            list(judge(call, SESSION))
        assert wanted is None or any(each.problem for each in parts) or calls == wanted


def read_pasted_texts(data: bytes) -> None:
    """A token around which anything stands, in any encoding, is found and goes no further."""
    before, _, after = data.partition(b"\0")
    around = before + TOKEN.encode() + after
    assert len(recognise(text_of(data))) <= MOST
    for text in (text_of(around), f"Basic {base64.b64encode(around).decode()}"):
        assert [each.kind for each in recognise(text)] == [Kind.TOKEN]
        assert SECRET not in str(recognise(text))
    assert SECRET not in mask_tokens(None, "", {"event": text_of(around)})["event"]


def read_policies(data: bytes) -> None:
    text = text_of(data)
    for permission in permissions(text):
        str(permission)
    try:
        statements = statements_of(text)
    except UnreadableDocumentError:
        assert not is_same(text, text)
        return
    assert is_same(text, text)
    str(difference(statements, statements_of(POLICY)))


def read_names(data: bytes) -> None:
    """Bucket and root, a line each: what passes is in the policy as it is, and means itself."""
    bucket, _, root = text_of(data).partition("\n")
    with suppress(ValueError, PolicyTooLarge):
        scope = Scope(partition="aws", bucket=bucket, root=root, may_list_bare_root=False)
        objects = f"arn:aws:s3:::{bucket}/{root}"
        writing, listing, location = permissions(session_policy(scope))
        assert re.fullmatch(r"[\w./-]+", bucket + root, re.ASCII)
        assert writing.resources == [objects, f"{objects}/*"]
        assert listing.resources == location.resources == [f"arn:aws:s3:::{bucket}"]


HEADER, CLAIMS = b'{"alg":"RS256","kid":"a"}', b'{"iss":"https://a.example","exp":1}'
# What reads, and inputs to begin with.
TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "tokens": (read_tokens, [TOKEN.encode()]),
    "identity tokens": (read_identity_tokens, [b"\n".join((HEADER, CLAIMS, b"signature"))]),
    "logs of CloudTrail": (read_logs, [WHOLE_LOG]),
    "pasted texts": (
        read_pasted_texts,
        [
            b"Authorization: Bearer \0 and more",
            b"https://docs-bucket.s3.eu-west-1.amazonaws.com/guide/builds/v1/x?X-Amz-Credential=",
            b"https://github.com/octo-org/octo-repo/actions/runs/1234567890/job/9",
            b"octo-org/octo-repo push refs/heads/main 1234567890 1",
            b"arn:aws:sts::123456789012:assumed-role/upload/01kb2m5v3xq8w9e7r6t5y4p3d2-guide",
            b'{"caller": "192.0.2.7:443", "commit": "0123456789abcdef0123456789abcdef01234567"}',
        ],
    ),
    "policies": (read_policies, [POLICY.encode()]),
    "names": (read_names, [f"{SCOPE.bucket}\n{SCOPE.root}".encode()]),
}


def fuzz(name: str, seconds: int) -> tuple[int, str]:
    """How many inputs a reader was tried with, and what is wrong with it: mostly nothing."""
    with TemporaryDirectory() as folder, TemporaryFile("w+") as output:
        for number, seed in enumerate(TARGETS[name][1]):
            (Path(folder) / str(number)).write_bytes(seed)
        if not (child := os.fork()):
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            _fuzz_on(name, folder, seconds)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        said = output.read()
    tried = re.search(r"stat::number_of_executed_units:\s*(\d+)", said)
    return int(tried[1]) if tried else 0, said[-5000:] if status or not tried else ""


def _fuzz_on(name: str, corpus: str, seconds: int) -> NoReturn:
    options: dict[str, Any] = {
        "max_total_time": seconds,
        "timeout": 10,
        "rss_limit_mb": 1000,
        "print_final_stats": 1,
        "artifact_prefix": f".build/{name.replace(' ', '-')}-",
    }
    atheris.Setup(
        ["", corpus, *(f"-{key}={value}" for key, value in options.items())], TARGETS[name][0]
    )
    atheris.Fuzz()
    os._exit(0)


def main(seconds: int) -> int:
    if atheris is None:
        sys.stdout.write("The second fuzzer is left out: atheris is not installed.\n")
        return 0
    Path(".build").mkdir(exist_ok=True)
    failed = 0
    for name in TARGETS:
        tried, wrong = fuzz(name, seconds)
        failed += bool(wrong)
        sys.stdout.write(f"{tried:11,}  {'FAILED' if wrong else 'none failed'}  {name}\n{wrong}")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
