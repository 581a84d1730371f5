"""Where the source takes a secret out of its type, asks STS for credentials, and what it logs:
found by semgrep with the rules in `source_rules.yml`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proof.conftest import needed
from tests.proof.tree import ROOT

# Beside the environment that runs the tests: a copied tree has none of its own.
SEMGREP = Path(sys.prefix).parent / ".venv-proof" / "bin" / "semgrep"
RULES = ROOT / "tests/proof/source_rules.yml"
SOURCES = ("builds", "credentials", "ltdkeeper")

COMPUTED = {
    "credentials/access/identity_tokens.py": "PyJWT verifies it",
    "credentials/rules/tokens.py": "its hash",
    "credentials/rules/webhooks.py": "signs deliveries",
    "credentials/vending/signing.py": "signs addresses and forms",
    "ltdkeeper/admin/find.py": "what was pasted is recognised",
}
GIVEN_TO_BOTO3 = {"credentials/vending/store_clients.py": "signs with it"}
ANSWERED = {
    "credentials/job_environment/scripts.py": "the lines for a job",
    "credentials/job_environment/variables.py": "the variables for a job",
    "credentials/operations/account/bootstrap.py": "new keys of identities, shown once",
    "ltdkeeper/admin/keys.py": "a new key, shown once",
    "ltdkeeper/admin/webhooks.py": "a new key, shown once",
    "ltdkeeper/api/credentials.py": "the session's credentials",
    "ltdkeeper/api/tokens.py": "a new token, or the caller's own",
    "ltdkeeper/management/commands/create_client.py": "a new key, shown once",
}
CALLS_STS = {"credentials/vending/sts.py", "credentials/vending/issuing.py"}
# Attempts that must be refused, and the whole role's, which nobody is given.
WITHOUT_POLICY = {
    "credentials/operations/account/assuming.py",
    "credentials/operations/isolation/calls.py",
}

WRONG = {
    'log.info("x", key=token.reveal())': {"secret-revealed", "secret-logged"},
    'log.debug(f"{raw_token}")': {"secret-logged"},
    'self.logger.error(answer["SessionToken"])': {"secret-logged"},
    'messages.info(request, "done %s" % key.secret)': {"secret-logged"},
    'line = f"{request.body}"; log.info("x", line=line)': {"secret-logged"},
    "map(Secret.reveal, secrets)": {"secret-revealed"},
    "sts.assume_role(RoleArn=role)": {"role-assumed", "role-assumed-without-policy"},
    "sts.assume_role(RoleArn=role, Policy=policy)": {"role-assumed"},
    "sts.assume_role(**request)": {"role-assumed", "role-assumed-without-policy"},
    "sts.get_federation_token(Name=name)": {"role-assumed"},
    'log.info("x", store=store.name)': set(),
}

# Path, line and rule.
Finding = tuple[str, int, str]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> set[Finding]:
    """What one run of semgrep finds in the sources and in a file of what is wrong."""
    needed(SEMGREP, "make proof")
    home = tmp_path_factory.mktemp("semgrep")
    (home / "wrong.py").write_text("\n".join(WRONG), encoding="utf-8")
    written = {f"SEMGREP_{name}_FILE": str(home / name) for name in ("LOG", "SETTINGS")}
    ran = subprocess.run(
        [
            str(SEMGREP), "scan", "--config", str(RULES), "--metrics", "off", "--quiet", "--json",
            "--timeout", "0", "--disable-version-check", "--disable-nosem", "--no-git-ignore",
            *SOURCES, str(home / "wrong.py"),
        ],
        cwd=ROOT, env=os.environ | written, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    report = json.loads(ran.stdout)
    assert report["errors"] == []
    return {
        (each["path"], each["start"]["line"], each["check_id"].rpartition(".")[2])
        for each in report["results"]
    }


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ("secret-revealed", {*COMPUTED, *GIVEN_TO_BOTO3, *ANSWERED}),
        ("role-assumed", CALLS_STS | WITHOUT_POLICY),
        ("role-assumed-without-policy", WITHOUT_POLICY),
        ("secret-logged", set()),
    ],
)
def test_source_breaks_rule_only_where_it_is_said_why(
    rule: str, where: set[str], found: set[Finding]
) -> None:
    sources = {path for path, _, each in found if each == rule and path.startswith(SOURCES)}
    assert sources == where


def test_what_is_wrong_is_found(found: set[Finding]) -> None:
    for number, (text, rules) in enumerate(WRONG.items(), 1):
        broken = {
            rule for path, line, rule in found if path.endswith("/wrong.py") and line == number
        }
        assert broken == rules, text
