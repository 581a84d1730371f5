"""A runner whose environment and files lead elsewhere, and that notes how programs are called."""

import os
import re
import shlex
import shutil
from pathlib import Path

KEYS = "aws_access_key_id = AKIAHOSTILE\naws_secret_access_key = hostile\n"
FILES = {
    ".aws/credentials": f"[default]\n{KEYS}[ltd]\n{KEYS}",
    ".aws/config": f"[default]\nregion = mars-1\n{KEYS}[profile ltd]\nregion = mars-1\n{KEYS}",
    ".boto": f"[Credentials]\n{KEYS}",
    ".curlrc": 'output = "/dev/null"\nheader = "Authorization: Bearer hostile"\n',
    "ec2-credentials": "AWSAccessKeyId=AKIAHOSTILE\nAWSSecretKey=hostile\n",
    "identity": "not a token",
}


def write_hostile_files(home: Path) -> None:
    for name, text in FILES.items():
        path = home / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def hostile_environment(home: Path) -> dict[str, str]:
    """Every way in which a runner may bring credentials of its own."""
    return {
        "AWS_ACCESS_KEY_ID": "AKIAHOSTILE",
        "AWS_SECRET_ACCESS_KEY": "hostile",
        "AWS_SESSION_TOKEN": "hostile",
        "AWS_PROFILE": "default",
        "AWS_DEFAULT_PROFILE": "default",
        "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/hostile",
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(home / "identity"),
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/hostile",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/hostile",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(home / "identity"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws/credentials"),
        "AWS_CONFIG_FILE": str(home / ".aws/config"),
        "AWS_CREDENTIAL_FILE": str(home / "ec2-credentials"),
        "BOTO_CONFIG": str(home / ".boto"),
        "AWS_REGION": "mars-1",
        "AWS_DEFAULT_REGION": "mars-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    }


def note_arguments(folder: Path, *programs: str) -> dict[str, str]:
    """A `PATH` with these programs only, each of which first writes down how it was called.

    What a program is called with is what every user of the machine can see in `ps`.
    """
    folder.mkdir()
    log = shlex.quote(str(folder / "called"))
    for program in programs:
        real = shlex.quote(str(shutil.which(program)))
        script = f'#!/bin/sh\nprintf "%s " "$0" "$@" >> {log}\necho >> {log}\nexec {real} "$@"\n'
        (folder / program).write_text(script)
        (folder / program).chmod(0o755)
    return {"PATH": str(folder)}


# curl before 7.76.
OLD_CURL = """\
#!/bin/sh
for argument in "$@" $(cat "$LTD_CURL" 2> /dev/null); do
    case $argument in *fail-with-body*)
        echo "curl: option $argument: is unknown" >&2; exit 2 ;;
    esac
done
exec {curl} "$@"
"""


def old_curl(folder: Path) -> dict[str, str]:
    """A `PATH` whose curl refuses what curl did not know before 7.76."""
    folder.mkdir()
    (folder / "curl").write_text(OLD_CURL.format(curl=shlex.quote(str(shutil.which("curl")))))
    (folder / "curl").chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def called(path: dict[str, str]) -> tuple[str, set[str]]:
    """All calls so far as one text, and the names of the programs."""
    folder = Path(path["PATH"])
    calls = (folder / "called").read_text()
    return calls, set(re.findall(rf"^{re.escape(str(folder))}/(\S+) ", calls, re.MULTILINE))
