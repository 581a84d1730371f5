"""Whatever stands in a file or an answer that a command reads: it is taken, or refused in words."""

import gzip
import json
from contextlib import suppress
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from builds.importing import DocumentError, KeeperBuild, KeeperProduct, last_part, read_document
from credentials.operations.audit import trail_files
from credentials.operations.audit.trail_coverage import Coverage
from credentials.operations.audit.trail_files import Fetched, Part, read_file, trail_file
from credentials.rules.cloudtrail import judge
from tests.credentials.operations.audit.trail_records import SESSION, WATCHED, assumed, used
from tests.fuzz.cases import TEXTS, VALUES, fuzzed

LOG = trail_file("123456789012_CloudTrail_us-east-1_20261123T1205Z_AbC123.json.gz")
DIGEST = trail_file(
    "123456789012_CloudTrail-Digest_us-east-1_docs_us-east-1_20261123T120500Z.json.gz"
)
RECORDS = [used(), assumed()]
MEMBERS = sorted({*RECORDS[0], *RECORDS[1], "errorCode", "errorMessage"})


def members(names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(names) | TEXTS, VALUES, max_size=3)


def cut_and_spoilt(whole: bytes) -> st.SearchStrategy[bytes]:
    """A text of which a part is missing, or is something else."""
    at = st.integers(0, len(whole))
    return st.builds(
        lambda start, end, put: whole[:start] + put + whole[end:], at, at, st.binary(max_size=9)
    )


def read_log(content: bytes, *, compressed: bool = True) -> list[Part]:
    assert LOG is not None
    data = gzip.compress(content, 1) if compressed else content
    return list(read_file(Fetched(LOG, data), WATCHED).parts)


@fuzzed
@given(st.sampled_from(RECORDS), members(MEMBERS), st.booleans())
def test_records_of_cloudtrail(record: dict[str, Any], more: dict[str, Any], within: bool) -> None:  # noqa: FBT001
    changed = record | ({"requestParameters": more} if within else more)
    parts = read_log(json.dumps({"Records": [changed, record]}).encode())
    assert sum(part.records for part in parts) in {0, 1, 2}
    for call in (call for part in parts for call in part.calls):
        list(judge(call, SESSION))
        list(judge(call, None))


WHOLE_LOG = json.dumps({"Records": RECORDS * 3}, separators=(",", ":")).encode()


@fuzzed
@given(cut_and_spoilt(WHOLE_LOG) | st.binary(max_size=200), st.sampled_from([64, 500, 1 << 18]))
def test_logs_of_cloudtrail(content: bytes, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(trail_files, "PIECE", piece)
        assert sum(part.records for part in read_log(content)) <= 12


@fuzzed
@given(cut_and_spoilt(gzip.compress(WHOLE_LOG, mtime=0)) | st.binary(max_size=60))
def test_compressed_files(data: bytes) -> None:
    read_log(data, compressed=False)


DOCUMENT = {
    "digestStartTime": "2026-11-23T11:05:00Z",
    "digestEndTime": "2026-11-23T12:05:00Z",
    "digestS3Bucket": "trail",
    "digestS3Object": "x",
    "digestPublicKeyFingerprint": "f",
    "logFiles": [{"s3Object": "x/y", "hashValue": "0"}],
    "previousDigestHashValue": "0",
    "previousDigestSignature": "zz",
}


@pytest.mark.django_db
@fuzzed
@given(members(sorted(DOCUMENT)), TEXTS, cut_and_spoilt(json.dumps(DOCUMENT).encode()) | st.none())
def test_digests_of_cloudtrail(more: dict[str, Any], signature: str, text: bytes | None) -> None:
    assert DIGEST is not None
    content = text or json.dumps(DOCUMENT | more).encode()
    coverage = Coverage(digested=set(), since=None, keys=lambda _region: {"f": b"no key"})
    for _ in range(2):
        list(coverage.add_digest(Fetched(DIGEST, gzip.compress(content, 1), signature=signature)))


@fuzzed
@given(VALUES | members(["slug", "bucket_name", "bucket_root_dir", "uploaded", "date_created"]))
def test_answers_of_an_ltd_keeper(document: Any) -> None:
    for kind in (KeeperProduct, KeeperBuild):
        with suppress(DocumentError, orjson.JSONDecodeError):
            read_document(orjson.loads(json.dumps(document)), kind)
    with suppress(DocumentError):
        last_part(document)


NAMES = ["stores", "products", "issuers", "clients", "publishers", "groups"]
FIELDS = [
    "bucket", "role_arn", "role_max_seconds", "endpoint_url", "store", "title", "session_seconds",
    "kind", "jwks_url", "identifying_claims", "products", "is_active", "client", "issuer",
    "conditions", "permissions", "root_domain", "published_url_template", "region",
]  # fmt: skip
ENTRIES = st.dictionaries(st.sampled_from(FIELDS), VALUES | TEXTS, max_size=4) | VALUES
SECTIONS = st.dictionaries(TEXTS | st.sampled_from(["main", "guide"]), ENTRIES, max_size=2) | VALUES
KEEPER = Path("docs/examples/keeper.yaml").read_text()


def bomb(first: str, line: str) -> str:
    """A few lines that say a thousand million times the same."""
    lines = [line.format(a=a, b=b) for a, b in pairwise("abcdefghij")]
    return "\n".join([f"a: &a {first}", *lines, "stores: *j"])


BOMBS = {"[x]": f"[{','.join(['*{a}'] * 9)}]", "{x: 1}": f"{{{{<<: [{','.join(['*{a}'] * 9)}]}}}}"}
SYNTAX = [
    "? [a]\n: b", "? {a: b}\n: c", "a: 2001-99-99", "a: 2001-01-01T99:00:00Z", "a: " + "9" * 5000,
    "a: 0x" + "f" * 5000, "[" * 3000, "{a: " * 3000, "a: &a [*a]", "&a {a: *a}", "<<: 1",
    "a: !!binary =", "a: !!set 1", "a: !!python/object:os.system x", "!!omap [1]", "a: !!int x",
    "a: !!float ''", "a: 1:99:99", "a: .inf", "=: 1", "a: !!timestamp x", "%YAML 9.9\n---\na: 1",
    "--- a\n--- b", "\0", 'stores: {"\\ud800": {bucket: "\\ud800"}}', 'stores: {"\\0": {}}',
    "a: !!bool x",
    *(bomb(first, "{b}: &{b} " + line) for first, line in BOMBS.items()),
]  # fmt: skip


def applied(text: str, path: Path) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(CommandError):
        call_command("apply", str(path), stdout=StringIO())


@pytest.mark.django_db
@pytest.mark.parametrize("text", SYNTAX)
def test_syntax_of_a_configuration(tmp_path: Path, text: str) -> None:
    applied(text, tmp_path / "keeper.yaml")


@pytest.mark.django_db
@fuzzed
@given(st.dictionaries(st.sampled_from(NAMES), SECTIONS, max_size=2).map(yaml.safe_dump))
def test_values_in_a_configuration(tmp_path: Path, text: str) -> None:
    applied(text, tmp_path / "keeper.yaml")


@pytest.mark.django_db
@fuzzed
@given(
    TEXTS
    | cut_and_spoilt(KEEPER.encode()).map(lambda text: text.decode(errors="surrogateescape"))
)  # fmt: skip
def test_texts_of_a_configuration(tmp_path: Path, text: str) -> None:
    applied(text, tmp_path / "keeper.yaml")
