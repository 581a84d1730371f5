"""What a text that somebody pastes may be the identifier of: found by its form alone. Pure.

Forms overlap: `main` may be a product or a build, and a store that is not AWS has access keys
without a prefix. So every kind whose form fits is given, and the database says which it is.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from builds.names import is_bucket_name, is_build_root, is_build_slug, is_product_slug


class Kind(StrEnum):
    """What an identifier names, as people call it."""

    TOKEN = "token"  # noqa: S105 - a word
    BUILD_ROOT = "build root"
    OBJECT_KEY = "object key"
    ASSUMED_ROLE_ARN = "assumed-role ARN"
    ASSUMED_ROLE_ID = "assumed-role id"
    SESSION_NAME = "session name"
    LEDGER_ID = "ledger id"
    ACCESS_KEY_ID = "access key id"
    REQUEST_ID = "STS request id"
    PRODUCT_SLUG = "product slug"
    BUILD_SLUG = "build slug"


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """A text of one kind, in ASCII. Of an object key it is the build's root; of a token its name,
    never its secret. `bucket` is known where the text was an `s3://` address.
    """

    kind: Kind
    text: str
    bucket: str = ""


# What a copied text has around it in logs, JSON and shells.
AROUND = " \t\r\n\v\f\"'`,;/"
# The name of a token as the ledger has it: the key, then what it gave. A secret may follow.
_TOKEN = re.compile(r"ltd[ksj]_[a-z0-9]{12}(/ltd[ksj]_[a-z0-9]{12})?")
# IAM: names of roles have up to 64 characters, names of sessions 2 to 64, key ids 16 to 128.
_FORMS = {
    Kind.ASSUMED_ROLE_ARN: r"arn:aws[a-z-]*:sts::[\w-]*:assumed-role/[\w+=,.@-]{1,64}"
    r"/[\w+=,.@-]{2,64}",
    Kind.ASSUMED_ROLE_ID: r"[\w-]{1,128}:[\w+=,.@-]{2,64}",
    Kind.SESSION_NAME: r"[0-9a-z]{26}-[0-9a-z-]{1,37}",
    Kind.LEDGER_ID: r"[0-9a-z]{26}",
    Kind.ACCESS_KEY_ID: r"[\w.+=-]{16,128}",
    Kind.REQUEST_ID: r"[\w.-]{16,128}",
}
_PATTERNS = {kind: re.compile(form, re.ASCII) for kind, form in _FORMS.items()}


def recognise(text: str) -> tuple[Identifier, ...]:
    """Everything that a text may be by its form, the most telling first; nothing for any other.

    A text that holds a token is that token, whatever stands around it.
    """
    text = text.strip(AROUND)
    if token := _TOKEN.search(text):
        return (Identifier(kind=Kind.TOKEN, text=token[0]),)
    if found := _below_a_root(text):
        return (found,)
    kinds = [kind for kind, pattern in _PATTERNS.items() if pattern.fullmatch(text)]
    if is_product_slug(text):
        kinds.append(Kind.PRODUCT_SLUG)
    if is_build_slug(text):
        kinds.append(Kind.BUILD_SLUG)
    return tuple(Identifier(kind=kind, text=text) for kind in kinds)


def _below_a_root(text: str) -> Identifier | None:
    """A build's root or a key below it, alone or in a bucket: `s3://bucket/key`."""
    bucket, key = "", text
    if text.startswith("s3://"):
        bucket, _, key = text.removeprefix("s3://").partition("/")
        if not is_bucket_name(bucket):
            return None
    root = "/".join(key.split("/")[:3])
    if not is_build_root(root):
        return None
    kind = Kind.BUILD_ROOT if key == root else Kind.OBJECT_KEY
    return Identifier(kind=kind, text=root, bucket=bucket)
