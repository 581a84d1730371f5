"""Every variable is read strictly: what is wrong is named at once, with value and example."""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any
from unittest import mock

import pytest

from ltdkeeper.environment import SettingsError

ROOT = Path(__file__).resolve().parents[2]
ROLE = "arn:aws:iam::123456789012:role/upload"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
RANDOM = "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLM"
NEEDED = {
    "LTD_ENV_FILE": os.devnull,
    "LTD_SECRET_KEY": RANDOM,
    "LTD_PUBLIC_URL": "https://keeper.example.org",
    "DATABASE_URL": "postgres://keeper@db.example.org/keeper",
    "LTD_ADMIN_OIDC_ISSUER": "https://login.example.org",
    "LTD_ADMIN_OIDC_AUTHORIZATION_URL": "https://login.example.org/authorize",
    "LTD_ADMIN_OIDC_TOKEN_URL": "https://login.example.org/token",
    "LTD_ADMIN_OIDC_KEYS_URL": "https://login.example.org/keys",
    "LTD_ADMIN_OIDC_CLIENT_ID": "ltdkeeper",
    "LTD_ADMIN_OIDC_CLIENT_SECRET": "only-for-tests",
    "LTD_ADMIN_OIDC_VIEWERS": "docs-readers",
}
FLAG = ["ture", "", "2", "enabled", "true # yes", "falsch"], ["true", "FALSE", " on", "0", "no"]
NUMBER = ["", "x", "1.5", "1e3", "1_000", "-1", "\uff11", "0x10", "9" * 30]
WRONG_OPTIONS = [
    *["foo=bar", "pool=true", "isolation_level=99", "cursor_factory=x", "row_factory=2"],
    *["prepare_threshold=abc", "server_side_binding=no", "atomic_requests=true", "autocommit=0"],
]
DURATION = [*NUMBER, "299"]
SESSION = [*NUMBER, "899", "43201"]
ADDRESS = [
    "keeper.example.org",
    "ftp://keeper.example.org",
    "https://",
    "https://-",
    "https://a..b",
    "https://[1:2]",
    "https://example.org:0",
    "https://example.org/path",
    "https://example.org?x=1",
    "https://example.org#x",
    "https://me:sekret@example.org",
    "https://example.org:0x50",
    "https://example.org:70000",
    "https://two words.org",
    "https://[::1",
]
ENDPOINT = ADDRESS, ["", "http://s3.internal:9000", "https://s3.example.org", "http://[::1]:9000"]
NO_REDIS = ["redis:/h", "redis://", "redis://:pw@/0", "redis://h:x/0", "redis://h:0/0"]
NO_REDIS += ["redis://h/0?foo=bar", "redis://h/0?max_connections=x", "rediss://h/0?ssl_cert_reqs=x"]

PAGE = (
    [
        *["", "login.example.org", "http://127.0.0.1/keys", "https://", "https://-/x"],
        *["https://me:sekret@example.org/x", "https://example.org/x?a=1", "https://e.org/x#y"],
        *["https://example.org/two words", "https://example.org:0/x"],
    ],
    ["https://example.org", "https://example.org/", "https://[2001:db8::1]:8443/realms/x"],
)

# What each variable refuses, and what it takes.
VALUES: dict[str, tuple[list[str], list[str]]] = {
    "LTD_DEBUG": (FLAG[0], ["false", "0", "off"]),
    "LTD_SECRET_KEY": (
        ["", RANDOM[:49], "s" * 50, "django-insecure-" + RANDOM, "debug-only-" * 6],
        [RANDOM[:50], "$" + RANDOM],
    ),
    "LTD_ALLOW_HTTP": FLAG,
    "LTD_PUBLIC_URL": (
        ["", *ADDRESS, "http://keeper.example.org", "http://127.0.0.1:8000"],
        ["https://keeper.example.org/", "https://keeper.example.org:8443", "https://[2001:db8::1]"],
    ),
    "LTD_ALLOW_SQLITE": FLAG,
    "LTD_TRUSTED_PROXIES": ([*NUMBER, "21"], ["0", "2", " 1 "]),
    "LTD_PUBLIC_READS": FLAG,
    "LTD_METRICS_TOKEN": (["two words", "tökn"], ["", RANDOM]),
    "LTD_WEB_WORKERS": ([*NUMBER, "0"], ["1", "8"]),
    "LTD_WEB_THREADS": ([*NUMBER, "0"], ["1", "64"]),
    "LTD_STORE_NAME": (["", "two words", "a/b"], ["frankfurt", "eu_1"]),
    "LTD_STORE_BUCKET": (
        ["192.168.0.1", "Docs", "a", "docs_bucket", "a..b", "s3://docs", "docs/x", "docs "],
        [""],
    ),
    "LTD_STORE_REGION": (["", "EU", "eu central", "eu_central_1"], ["eu-central-1", "default"]),
    "LTD_STORE_ENDPOINT_URL": ENDPOINT,
    "LTD_STORE_PUBLIC_ENDPOINT_URL": ENDPOINT,
    "LTD_STORE_ROLE_ARN": (
        ["upload", "arn:aws:iam::1:role/*", "arn:aws:iam::123456789012:user/x"],
        ["", ROLE, ROLE.replace("aws", "aws-cn", 1), "arn:aws:iam:::role/upload"],
    ),
    "LTD_STORE_ROLE_MAX_SECONDS": ([*NUMBER, "1799", "43201"], ["1800", "43200"]),
    "LTD_STORE_EXTERNAL_ID": (["two words", "a\tb"], ["", "tenant-7"]),
    "LTD_STORE_KMS_KEY_ARN": (["alias/docs", KEY.replace("key/", "alias/")], ["", KEY]),
    "LTD_STORE_ADDRESSING": (["", "dns", "Path", "path "], ["auto", "path", "virtual"]),
    "LTD_STORE_WITH_SYNC": FLAG,
    "LTD_SESSION_SECONDS": ([*SESSION, "3601"], ["900", "3600"]),
    "LTD_UPLOAD_WINDOW_SECONDS": ([*DURATION, "604801"], ["300", "604800"]),
    "LTD_REQUIRE_ISOLATION_CHECK": FLAG,
    "LTD_REVOKE_ON_FINISH": FLAG,
    "LTD_KEY_SESSION_SECONDS": ([*DURATION, "604801"], ["300", "604800"]),
    "LTD_JOB_TOKEN_SECONDS": ([*DURATION, "43201"], ["300", "43200"]),
    "LTD_OPEN_BUILDS": ([*NUMBER, "0"], ["1"]),
    "LTD_SESSIONS_AN_HOUR": ([*NUMBER, "0"], ["1"]),
    "LTD_FAILURES_A_MINUTE": ([*NUMBER, "0"], ["1"]),
    "LTD_OIDC_AUDIENCE": (
        ["docs keeper", "a" * 256, "https://github.com/octo-org", "sts.amazonaws.com", "sigstore"],
        ["", "ltdkeeper"],
    ),
    "LTD_UPLOAD_ACTION": (
        ["", "octo-org/ltdkeeper", "ltdkeeper@v1", "octo-org/ltdkeeper@", "a/b@c d", "a/b@c\n"],
        ["octo-org/ltdkeeper@d23441a", "group/sub/ltdkeeper@v1.0.0"],
    ),
    "LTD_REQUIRE_SECOND_FACTOR": FLAG,
    "LTD_ADMIN_OIDC_ISSUER": PAGE,
    "LTD_ADMIN_OIDC_AUTHORIZATION_URL": PAGE,
    "LTD_ADMIN_OIDC_TOKEN_URL": PAGE,
    "LTD_ADMIN_OIDC_KEYS_URL": PAGE,
    "LTD_ADMIN_OIDC_CLIENT_ID": (["", "two words"], ["ltdkeeper"]),
    "LTD_ADMIN_OIDC_CLIENT_SECRET": (["", "two words", "t\u00f6kn"], [RANDOM]),
    "LTD_ADMIN_OIDC_GROUPS_CLAIM": (["", "two words"], ["roles", "https://example.org/groups"]),
    "LTD_ADMIN_OIDC_VIEWERS": (["", "two words"], ["docs-readers"]),
    "LTD_ADMIN_OIDC_OPERATORS": (["two words"], ["", "docs-on-call"]),
    "LTD_ADMIN_OIDC_ADMINISTRATORS": (["two words"], ["", "docs-owners"]),
    "LTD_POST_LIFETIME": (SESSION, ["900", "43200"]),
    "LTD_URL_LIFETIME": (SESSION, ["900", "43200"]),
    "LTD_POST_MAX_BYTES": ([*NUMBER, "0", str(5 * 1024**3 + 1)], ["1", str(5 * 1024**3)]),
    "LTD_PROXY_UPLOADS": ([*NUMBER, "8"], ["0", "7"]),
    "LTD_PROXY_MAX_BYTES": ([*NUMBER, "0", str(5 * 1024**3 + 1)], ["1", str(5 * 1024**3)]),
    "LTD_TRAIL_BUCKET": (["two words", "Logs"], ["", "example-logs"]),
    "LTD_AUDITOR_PROFILE": (["two words"], ["", "auditor"]),
    "LTD_SCHEDULE": (
        ["roll_up", "rollup=1h", "roll_up=1w", "roll_up=1h,roll_up=2h"],
        ["", "roll_up=off", "purge_builds --deleted-before 30 --apply=1d, roll_up=2h"],
    ),
    "LTD_REVOKER_PROFILE": (["two words"], ["", "revoker"]),
    "LTD_WEBHOOK_ALLOWED_NETWORKS": (
        ["10.1.2.3/8", "internal", "10.0.0.0/8;::1", "10.0.0.0/33"],
        ["", "10.0.0.0/8", "10.1.2.3, 2001:db8::/32"],
    ),
    "LTD_MAIL_FINDINGS": (["", "ada", "a@example.org,,"], ["a@example.org, b@example.org"]),
    "LTD_ALERT_SEVERITY": (["", "info", "Error"], ["error", "warning"]),
    "LTD_MAIL_FROM": (["", "ada"], ["ada@example.org"]),
    "LTD_MAIL_URL": (
        [
            "",
            "smtp://",
            "mail.example.org",
            "smtp://u:sekret@h:x",
            "consolemail://",
            "smtp://h?a=1",
        ],
        ["smtp://127.0.0.1:25", "smtp+tls://u:p%40@mail.example.org:587", "smtp+ssl://h"],
    ),
    "LTD_ALLOWED_PREFIXES": (["/v/", "*/", "*/builds/", "a*/"], ["", "*/v/,*/builds/index.html"]),
    "LTD_PURGED_WITHIN_DAYS": ([*NUMBER, "0"], ["1", "3660"]),
    "LTD_UNUSUAL_FACTOR": ([*NUMBER, "1"], ["2", "1000"]),
    "AWS_CA_BUNDLE": (["/nowhere/ca.pem", "/"], ["", __file__]),
    "PROMETHEUS_MULTIPROC_DIR": (["/nowhere", __file__], ["", str(ROOT)]),
    "LTD_ALLOWED_HOSTS": (
        ["", "https://keeper.example.org", "keeper.example.org:80", "a,,b", "a b", "[::x]"],
        ["keeper.example.org, 10.0.0.5", "*", ".example.org", "[::1]"],
    ),
    "DATABASE_URL": (
        [
            *["", "keeper", "mysql://u:sekret@h/x", "postgis://h/x", "sqlite:///"],
            *["sqlite://", "sqlite:/var/x", "sqlite://host/x", "sqlite:////var/x"],
            *["postgres:/u:sekret@h/x", "postgres://u:sekret@h", "postgres://u:sekret@h/"],
            *["postgres://u:sekret@h:x/y", "postgres://h:0/y", "postgres://h:65536/y"],
            *["postgres://u:sekret/x", "postgres://u:se#kret@h/x", "postgres://u:se/kret@h/x"],
            *["postgres://u:sekret@[::1/x", f"postgres://h/{'x' * 64}"],
            *["postgres://u:sekret@h/x?connect_timeout=abc", "sqlite:////tmp/%00x"],
            *(f"postgres://u:sekret@h/x?{option}" for option in WRONG_OPTIONS),
        ],
        [
            *["postgres://u:p%40w@h:5433/x", "postgresql://h/x?sslmode=require", "postgres:///x"],
            *["postgres://u:p@[::1]:5432/x", "postgres://u:p@a:5432,b:5433/x"],
            "postgres://h/x?server_side_binding=false&prepare_threshold=9&application_name=k",
        ],
    ),
    "LTD_CACHE_URL": (
        [
            *["", "host:6379", "carrier://pigeon", "locmemcache://", "dummycache://", "dbcache://"],
            *["dbcache://a b", "filecache:///tmp", "memcache://h:11211", *NO_REDIS, "redis://h/x"],
            "redis://u:sekret/0",
        ],
        [
            *["redis://h:6379/1", "rediss://u:p@h", "redis:///run/r.sock", "redis://h?db=1"],
            "dbcache://others",
        ],
    ),
    "LTD_LOG_LEVEL": (["", "VERBOSE", "NOTSET", "10", "Info"], ["DEBUG", "debug", "CRITICAL"]),
    "LTD_LOG_FORMAT": (["", "xml", "JSON"], ["json", "console"]),
    "LTD_ENV_FILE": (["/nowhere/.env", "/"], [""]),
}
SECRET = {
    *("LTD_SECRET_KEY", "LTD_METRICS_TOKEN", "DATABASE_URL", "LTD_CACHE_URL"),
    "LTD_MAIL_URL",
    "LTD_ADMIN_OIDC_CLIENT_SECRET",
}
# The Procfile's server reads these, and refuses them itself.
OF_THE_SERVER = {"HOST", "PORT"}
OF_BOTO3 = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


@cache
def compiled(path: str) -> CodeType:
    return compile(Path(path).read_text(encoding="utf-8"), path, "exec")


@pytest.fixture
def read() -> Iterator[Any]:
    """Run the settings in an environment of their own; what they are."""

    def run(**changes: str) -> dict[str, Any]:
        for name in [*os.environ]:
            if name.startswith(("LTD_", "AWS_", "PROMETHEUS_", "DATABASE_URL")):
                del os.environ[name]
        os.environ.update(NEEDED | changes)
        path = str(ROOT / "ltdkeeper" / "settings.py")
        found = {"__file__": path, "__name__": "ltdkeeper.settings"}
        exec(compiled(path), found)  # noqa: S102
        return found

    with mock.patch.dict(os.environ):  # the settings add to it what is in their file
        yield run


def lines_of(read: Any, **changes: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read(**changes)
    return str(caught.value).splitlines()


def test_wrong_value_is_one_line_with_an_example(read: Any) -> None:
    for name, value in ((name, value) for name, (wrong, _) in VALUES.items() for value in wrong):
        (line,) = lines_of(read, **{name: value})
        shown = "" if name in SECRET else "=" + repr(value.replace("me:sekret", "***"))[1:-1][:100]
        assert line.startswith(f"{name}{shown}"), (name, value)
        assert re.search(rf": .+\. Example: {name}=.", line), (name, value)
        assert "sekret" not in line, (name, value)
        assert name != "LTD_SECRET_KEY" or not value or value not in line


def test_right_values_are_taken(read: Any) -> None:
    for name, value in ((name, value) for name, (_, right) in VALUES.items() for value in right):
        assert read(**{name: value}), (name, value)


def test_every_variable_has_a_row() -> None:
    settings = (ROOT / "ltdkeeper" / "settings.py").read_text(encoding="utf-8")
    read_there = re.findall(r'env\.\w+\(\s*"(\w+)"', settings)
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    written = re.findall(r"^#?([A-Z][A-Z_]+)=", example, re.MULTILINE)
    procfile = re.findall(r"\$\{(\w+):-", (ROOT / "Procfile").read_text(encoding="utf-8"))
    named = {*read_there, *written, *procfile, "LTD_ENV_FILE"}
    assert named - OF_THE_SERVER - OF_BOTO3 == set(VALUES)


TOGETHER: dict[str, tuple[dict[str, str], str]] = {
    "store without a role": ({"LTD_STORE_BUCKET": "docs"}, "LTD_STORE_ROLE_ARN: not set"),
    "sessions over the role's": (
        {"LTD_SESSION_SECONDS": "7200", "LTD_STORE_ROLE_MAX_SECONDS": "3600"},
        "LTD_SESSION_SECONDS=7200: not a whole number from 900 to 3600",
    ),
    "http allowed beyond loopback": (
        {"LTD_ALLOW_HTTP": "true", "LTD_PUBLIC_URL": "http://192.0.2.7:8000"},
        "LTD_PUBLIC_URL=http://192.0.2.7:8000: not https",
    ),
    "http on a name that begins as loopback": (
        {"LTD_ALLOW_HTTP": "true", "LTD_PUBLIC_URL": "http://localhost.example.org"},
        "LTD_PUBLIC_URL=http://localhost.example.org: not https",
    ),
    "debugging on a public address": ({"LTD_DEBUG": "true"}, "LTD_DEBUG=true: insecure"),
    "debugging over https": (
        {"LTD_DEBUG": "true", "LTD_PUBLIC_URL": "https://127.0.0.1"},
        "LTD_DEBUG=true: insecure",
    ),
    "debugging under a public name": (
        {
            "LTD_DEBUG": "true",
            "LTD_PUBLIC_URL": "http://127.0.0.1:8000",
            "LTD_ALLOWED_HOSTS": "localhost,keeper.example.org",
        },
        "LTD_DEBUG=true: insecure",
    ),
    "SQLite on purpose or not at all": (
        {"DATABASE_URL": "sqlite:////var/x"},
        "DATABASE_URL: SQLite",
    ),
    "half a key": (
        {"AWS_SECRET_ACCESS_KEY": "sekret"},
        "AWS_ACCESS_KEY_ID: not set, though AWS_SECRET_ACCESS_KEY is",
    ),
    "the other half": (
        {"AWS_ACCESS_KEY_ID": "AKIAVENDOR", "AWS_SECRET_ACCESS_KEY": ""},
        "AWS_SECRET_ACCESS_KEY: not set, though AWS_ACCESS_KEY_ID is",
    ),
    "a letter too few": (
        {"LTD_REQUIRE_ISOLATION_CHEK": "true"},
        "LTD_REQUIRE_ISOLATION_CHEK: there is no such setting. "
        "Did you mean LTD_REQUIRE_ISOLATION_CHECK?",
    ),
    "words in another order": (
        {"LTD_ISOLATION_CHECK_REQUIRED": "true"},
        "LTD_ISOLATION_CHECK_REQUIRED: there is no such setting. "
        "Did you mean LTD_REQUIRE_ISOLATION_CHECK?",
    ),
    "small letters": (
        {"LTD_require_isolation_check": "true"},
        "LTD_require_isolation_check: there is no such setting. "
        "Did you mean LTD_REQUIRE_ISOLATION_CHECK?",
    ),
    "half a name": (
        {"LTD_STORE_ENDPOINT": "https://s3.example.org"},
        "LTD_STORE_ENDPOINT: there is no such setting. Did you mean LTD_STORE_ENDPOINT_URL?",
    ),
}


def test_settings_that_do_not_go_together_are_one_line(read: Any) -> None:
    for case, (changes, expected) in TOGETHER.items():
        (line,) = lines_of(read, **changes)
        assert line.startswith(expected), case
        assert "sekret" not in line, case


def test_all_mistakes_are_named_at_once(read: Any) -> None:
    lines = lines_of(read, LTD_DEBUG="ture", LTD_OPEN_BUILDS="many", LTD_PUBLIC_URL="x")
    assert [line.partition("=")[0] for line in lines] == [
        "LTD_DEBUG",
        "LTD_PUBLIC_URL",
        "LTD_OPEN_BUILDS",
    ]


def test_what_must_be_set_is_named(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.ltdkeeper.test_settings.NEEDED", {"LTD_ENV_FILE": os.devnull})
    lines = lines_of(read)
    needed = ["LTD_SECRET_KEY", "LTD_PUBLIC_URL", "DATABASE_URL"]
    assert [line.partition(":")[0] for line in lines] == needed


def test_uploaders_variables_are_no_mistake(read: Any) -> None:
    assert read(LTD_HOST="x", LTD_USERNAME="x", LTD_PASSWORD="x", LTD_PRODUCT="x", LTD_CURL="x")


def test_debugging_on_this_machine_needs_nothing_else(
    read: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.ltdkeeper.test_settings.NEEDED", {"LTD_ENV_FILE": os.devnull})
    assert read(LTD_DEBUG="true")["DEBUG"] is True


# A line of `.env` -> how the answer begins, of which {file} is the file
WRONG_LINES = {
    "LTD_DEBUG true": "{file}, line 2: not NAME=value.",
    "LTD_DEBUG = true": "{file}, line 2: not NAME=value.",
    " LTD_SECRET_KEY=sekret": "{file}, line 2: not NAME=value.",
    "LTD_PUBLIC_READS=ture": "LTD_PUBLIC_READS=ture: neither true nor false.",
    "LTD_ISOLATION=true": "LTD_ISOLATION: there is no such setting. Did you mean",
}


def test_wrong_line_of_the_file_is_named(
    read: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for line, beginning in WRONG_LINES.items():
        file = tmp_path / "env"
        file.write_text(f"# settings\n{line}\n", encoding="utf-8")
        (found,) = lines_of(read, LTD_ENV_FILE=str(file))
        assert found.startswith(beginning.format(file=file)), line
        assert "sekret" not in found + caplog.text, line


def test_file_of_an_editor_that_marks_utf_8_is_read(read: Any, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("LTD_URL_LIFETIME=900\n", encoding="utf-8-sig")
    assert read(LTD_ENV_FILE=str(tmp_path / "env"))["LTD_URL_LIFETIME"] == 900


def test_file_that_is_not_text_is_named(read: Any, tmp_path: Path) -> None:
    (tmp_path / "env").write_bytes(b"LTD_DEBUG=\xff\n")
    (line,) = lines_of(read, LTD_ENV_FILE=str(tmp_path / "env"))
    assert "cannot be read (not UTF-8)" in line


def test_environment_wins_over_the_file(read: Any, tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("\nexport LTD_OPEN_BUILDS=5\nLTD_URL_LIFETIME=900\n", encoding="utf-8")
    found = read(LTD_ENV_FILE=str(file), LTD_OPEN_BUILDS="7")
    assert (found["LTD_OPEN_BUILDS"], found["LTD_URL_LIFETIME"]) == (7, 900)


HOSTS = {
    "by default": ({}, ["keeper.example.org"]),
    "beside others": ({"LTD_ALLOWED_HOSTS": "10.0.0.5"}, ["10.0.0.5", "keeper.example.org"]),
    "IPv6": ({"LTD_PUBLIC_URL": "https://[2001:DB8::1]:8443"}, ["[2001:db8::1]"]),
}


def test_host_of_the_public_address_is_accepted(read: Any) -> None:
    for case, (changes, hosts) in HOSTS.items():
        assert read(**changes)["ALLOWED_HOSTS"] == hosts, case
