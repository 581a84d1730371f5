"""Where the source may hold a secret in plain text, ask for credentials, and what it may log.

Ruff's rules S, which are bandit's, look at every file; these are about this project's own types.
"""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Modules that take a secret out of its type, and what for.
REVEALED = {
    "credentials/access/identity_tokens.py": "PyJWT verifies it",
    "credentials/job_environment/scripts.py": "the lines for a job",
    "credentials/job_environment/variables.py": "the variables for a job",
    "credentials/operations/account/bootstrap.py": "new keys of identities, shown once",
    "credentials/rules/tokens.py": "its hash",
    "credentials/rules/webhooks.py": "signs deliveries",
    "credentials/vending/signing.py": "signs addresses and forms",
    "credentials/vending/store_clients.py": "boto3 signs with it",
    "ltdkeeper/admin/keys.py": "a new key, shown once",
    "ltdkeeper/admin/find.py": "what was pasted is recognised",
    "ltdkeeper/admin/webhooks.py": "a new key, shown once",
    "ltdkeeper/api/credentials.py": "the response to the caller",
    "ltdkeeper/api/tokens.py": "the response to the caller",
    "ltdkeeper/management/commands/create_client.py": "a new key, shown once",
}
# Calls of STS without a session policy, in tries of what must be refused or of a role as a whole.
WITHOUT_POLICY = {
    "credentials/operations/account/assuming.py",
    "credentials/operations/isolation/calls.py",
}
ASSUMING = {"assume_role", "get_session_token", "get_federation_token"} | {
    f"assume_role_with_{identity}" for identity in ("saml", "web_identity")
}
# Of loggers, and of what tells the users of the admin.
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}
SECRETS = {
    "raw_token", "secret", "password", "session_token", "secret_access_key", "unverified_secret",
    "SessionToken", "SecretAccessKey", "reveal", "QUERY_STRING", "HTTP_AUTHORIZATION", "body",
    "POST",
}  # fmt: skip


@cache
def files() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
        for package in ("builds", "credentials", "ltdkeeper")
        for path in (ROOT / package).rglob("*.py")
    }


def named(tree: ast.AST, names: set[str]) -> list[str]:
    """Which of these names stand in a tree: of an attribute, a variable or a key."""
    parts = ("attr", "id", "value")
    found = (getattr(node, part, "") for node in ast.walk(tree) for part in parts)
    return [name for name in found if isinstance(name, str) and name in names]


def test_secrets_are_revealed_where_it_is_said_why() -> None:
    assert {name for name, tree in files().items() if named(tree, {"reveal"})} == set(REVEALED)


def test_nothing_else_assumes_a_role_and_never_without_a_policy() -> None:
    calling = {name for name, tree in files().items() if named(tree, ASSUMING)}
    ours = {"credentials/vending/sts.py", "credentials/vending/issuing.py"}
    assert calling == ours | WITHOUT_POLICY
    sts = files()["credentials/vending/sts.py"]
    [request] = [
        node.value
        for node in ast.walk(sts)
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        and isinstance(node.value, ast.Dict)
        and any(getattr(key, "value", "") == "RoleArn" for key in node.value.keys)
    ]
    assert "Policy" in {getattr(key, "value", "") for key in request.keys}


def logged_secrets(tree: ast.AST) -> list[str]:
    """What has a secret in it and is named in a call that logs."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    logging = (call for call in calls if getattr(call.func, "attr", "") in LEVELS)
    return [name for call in logging for name in named(call, SECRETS)]


def test_no_log_call_names_a_secret() -> None:
    assert {name: found for name, tree in files().items() if (found := logged_secrets(tree))} == {}


def test_log_call_that_names_a_secret_is_found() -> None:
    for line in (
        "log.info('x', key=token.reveal())",
        "log.debug(f'{raw_token}')",
        "self.logger.error(answer['SessionToken'])",
    ):
        assert logged_secrets(ast.parse(line)), line
