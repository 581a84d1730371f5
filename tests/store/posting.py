"""A service that presigns for short times, with an identity of the store's to sign POSTs."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from credentials.rules.account_documents import post_signer_policy
from credentials.vending.store_clients import AccessKey
from demo.service import Service
from tests.store.answers import Answer
from tests.store.stage import DATABASE, Account, service_for
from tests.store.uploader import RegisteredBuild, Uploader
from tests.store.users import new_user

PRODUCT, SHORT = "posted", "posted-briefly"
PROFILE = "post-signer"
# botocore checks the duration as well, unless told not to.
BELIEVING = "[default]\nparameter_validation = false\n"


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The service with its uploader, and what an operator sets in the admin."""

    service: Service
    uploader: Uploader
    folder: Path

    def posts(self, build: RegisteredBuild, *directories: str) -> requests.Response:
        body = {"directories": list(directories)}
        return self.uploader.call("POST", f"{build.url}/presigned-posts", body)

    def puts(self, build: RegisteredBuild, *files: dict[str, Any]) -> dict[str, Any]:
        answer = self.uploader.call("POST", f"{build.url}/presigned-urls", {"files": list(files)})
        assert answer.ok, answer.text
        urls: dict[str, Any] = answer.json()["urls"]
        return urls

    def set_store(self, **columns: str) -> None:
        for name, value in columns.items():
            self._execute(f"UPDATE builds_store SET {name} = ?", value)  # noqa: S608

    def set_seconds(self, product: str, seconds: int) -> None:
        self._execute(
            "UPDATE builds_product SET session_seconds = ? WHERE slug = ?", seconds, product
        )

    def ledger(self, column: str, delivery: str) -> list[Any]:
        """A column of the ledger, newest first."""
        query = f"SELECT {column} FROM credentials_issuedsession WHERE delivery = ? ORDER BY 1 DESC"  # noqa: S608
        return [row[0] for row in self._execute(query, delivery)]

    def _execute(self, statement: str, *parameters: Any) -> list[Any]:
        with closing(sqlite3.connect(self.folder / DATABASE)) as connection, connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            return connection.execute(statement, parameters).fetchall()


@contextmanager
def desk_for(account: Account, folder: Path, *, by_bucket: bool) -> Iterator[Desk]:
    """The service, with a product of the store's usual times and one of the shortest."""
    config, credentials = folder / "aws-config", folder / "aws-credentials"
    config.write_text(BELIEVING)
    credentials.write_text(profile_of(signer_key(account, by_bucket=by_bucket)))
    settings = {
        "DJANGO_SETTINGS_MODULE": "tests.store.short_sessions",
        "LTD_POST_MAX_BYTES": "1000",
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
    }
    with service_for(account, folder, **settings) as service:
        api_key = service.new_client("ci")
        service.wait_until_it_answers()
        uploader = Uploader(service.url, api_key=api_key, store=account.row.name)
        desk = Desk(service=service, uploader=uploader, folder=folder)
        for product in (PRODUCT, SHORT):
            uploader.create_product(product)
        desk.set_seconds(SHORT, account.store.shortest_seconds)
        yield desk
        uploader.close()


def signer_key(account: Account, *, by_bucket: bool) -> AccessKey:
    """The key of a user with the policy of POST-signing identities and no other right."""
    where = {"role_arn": account.row.role_arn, "bucket": account.bucket}
    user = new_user(account, account.plan.user_name("signer"))
    name = user.name
    account.iam.put_user_policy(
        UserName=name, PolicyName=account.plan.role_name, PolicyDocument=post_signer_policy(**where)
    )
    if by_bucket:
        arn = f"arn:aws:iam::{account.store.account}:user/{name}"
        _set_bucket_policy(account, post_signer_policy(**where, signer_arn=arn))
    return user.key


def _set_bucket_policy(account: Account, document: str) -> None:
    """With the block of public policies off for a moment: Ceph's takes every policy for one."""
    where = {"Bucket": account.bucket}
    kept = account.admin.get_public_access_block(**where)["PublicAccessBlockConfiguration"]
    for block in (False, True):
        account.admin.put_public_access_block(
            **where, PublicAccessBlockConfiguration=kept | {"BlockPublicPolicy": block}
        )
        if not block:
            account.admin.put_bucket_policy(**where, Policy=document)


def profile_of(key: AccessKey) -> str:
    """A section of a shared credentials file."""
    secret = key.secret_access_key.reveal()
    named = f"aws_access_key_id = {key.access_key_id}\naws_secret_access_key = {secret}\n"
    return f"[{PROFILE}]\n{named}"


def send_post(
    post: dict[str, Any], name: str, body: bytes, *, content_type: str | None = "text/plain",
    **changes: str,
) -> Answer:  # fmt: skip
    """Send a file as LTD clients do: all fields, then its type, last the file."""
    fields = post["fields"] | changes
    if content_type is not None:
        fields["Content-Type"] = content_type
    return _answer("POST", post["url"], data=fields, files={"file": (name, body)})


def send_put(put: dict[str, Any], body: bytes, **changes: str) -> Answer:
    """Send a file with the headers that belong to its address."""
    headers = {name: value for name, value in (put["headers"] | changes).items() if value}
    return _answer("PUT", put["url"], data=body, headers=headers)


def _answer(method: str, url: str, **arguments: Any) -> Answer:
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, url, timeout=120, **arguments)
    code = answer.text.partition("<Code>")[2].partition("</Code>")[0]
    return Answer(answer.status_code, code)
