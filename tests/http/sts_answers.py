"""AssumeRole's answers as they travel: whole, damaged, and errors in AWS's words."""

import secrets
from datetime import timedelta

from django.utils import timezone

ROLE = "arn:aws:sts::123456789012:assumed-role/upload/x"
Answer = tuple[int, str]


class StsAnswers:
    """Makes status and body; `secrets` holds every secret that was in one."""

    def __init__(self) -> None:
        self.secrets: list[str] = []

    def session(self) -> Answer:
        """A whole answer with fresh secrets."""
        secret, token = secrets.token_hex(20), secrets.token_hex(300)
        self.secrets += [secret, token]
        expiration = (timezone.now() + timedelta(hours=12)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 200, (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<AssumeRoleResult><AssumedRoleUser><Arn>{ROLE}</Arn>"
            "<AssumedRoleId>AROAEXAMPLE:x</AssumedRoleId></AssumedRoleUser><Credentials>"
            f"<AccessKeyId>ASIA{secrets.token_hex(8).upper()}</AccessKeyId>"
            f"<SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>"
            f"<Expiration>{expiration}</Expiration></Credentials></AssumeRoleResult>"
            "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>"
        )

    def without(self, name: str) -> Answer:
        """The same without an element."""
        status, body = self.session()
        head, _, rest = body.partition(f"<{name}>")
        return status, head + rest.partition(f"</{name}>")[2]

    def cut(self) -> Answer:
        """The same, cut off behind the secrets."""
        status, body = self.session()
        return status, body.partition("<Expiration>")[0]

    def changed(self, name: str, text: str) -> Answer:
        """The same with another text in an element."""
        status, body = self.session()
        head, _, rest = body.partition(f"<{name}>")
        return status, f"{head}<{name}>{text}</{name}>" + rest.partition(f"</{name}>")[2]

    def refusal(self, code: str, status: int = 400) -> Answer:
        """An error as AWS words it."""
        return status, (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
            f"<Message>{code} for {ROLE}</Message></Error></ErrorResponse>"
        )
