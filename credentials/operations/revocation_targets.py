"""What a decision to revoke is about: a session, build, token, client, product or store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Model, Q

from builds.models import Build, Product, Store
from builds.names import ULID_LENGTH
from credentials.errors import UnknownTarget
from credentials.models import ApiKey, Client, Delivery, IssuedSession, JobToken, Revocation
from credentials.models.sessions import IssuedSessionQuerySet
from credentials.operations.lookup import name_in_ledger

Kind = Revocation.Kind
Row = IssuedSession | Build | JobToken | ApiKey | Client | Product | Store

KINDS: dict[type[Model], Kind] = {
    IssuedSession: Kind.SESSION,
    Build: Kind.BUILD,
    JobToken: Kind.JOB_TOKEN,
    ApiKey: Kind.API_KEY,
    Client: Kind.CLIENT,
    Product: Kind.PRODUCT,
    Store: Kind.STORE,
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """Whose sessions are meant: a row's, those asked for up to `before` if that is set."""

    kind: Kind
    row: Row
    before: datetime | None = None

    @property
    def name(self) -> str:
        return str(self.row)

    @property
    def sessions(self) -> IssuedSessionQuerySet:
        """All that it covers, alive or not. What an identity signed is no session, and those of
        this service that try whether a revocation is obeyed are nobody's.
        """
        rows = IssuedSession.objects.filter(COVERED[self.kind](self.row), signed_by_identity=False)
        if self.kind is not Kind.SESSION:
            rows = rows.exclude(delivery=Delivery.VERIFY)
        return rows.filter(requested_at__lte=self.before) if self.before else rows

    @property
    def signatures(self) -> IssuedSessionQuerySet:
        """What identities signed in place of its sessions."""
        return IssuedSession.objects.filter(COVERED[self.kind](self.row), signed_by_identity=True)


def target_of(row: Row, *, before: datetime | None = None) -> Target:
    """What a row at hand stands for."""
    return Target(kind=KINDS[type(row)], row=row, before=before)


def find_target(*, kind: str, text: str, before: datetime | None = None) -> Target:
    """The target that somebody names, as far as one kind of thing goes. Raises UnknownTarget.

    A session by ledger id, name, access key id, or the id or ARN of its assumed role; a build by
    its number, root, or an object key in it; tokens by their names, everything else by its own.
    """
    row = FIND[Kind(kind)](text.strip())
    if row is None:
        raise UnknownTarget
    return target_of(row, before=before)


def _session(text: str) -> IssuedSession | None:
    name = text.rpartition("/")[2].rpartition(":")[2]
    by_name = Q(pk=name[:ULID_LENGTH], session_name=name)
    found = IssuedSession.objects.filter(Q(pk=name.lower()) | by_name | Q(access_key_id=name))
    return found.exclude(signed_by_identity=True).first()


def _build(text: str) -> Build | None:
    if text.isascii() and text.isdecimal() and len(text) < len(str(2**63)):
        return Build.objects.filter(pk=int(text)).first()
    bucket, key = "", text
    if text.startswith("s3://"):
        bucket, _, key = text.removeprefix("s3://").partition("/")
    found = Build.objects.filter(root="/".join(key.split("/")[:3]))
    return (found.filter(bucket_name=bucket) if bucket else found).first()


def _public_id(text: str) -> str:
    return text.rpartition("/")[2].removeprefix("ltdk_").removeprefix("ltdj_").partition("_")[0]


FIND: Mapping[Kind, Callable[[str], Row | None]] = {
    Kind.SESSION: _session,
    Kind.BUILD: _build,
    Kind.JOB_TOKEN: lambda text: JobToken.objects.filter(public_id=_public_id(text)).first(),
    Kind.API_KEY: lambda text: ApiKey.objects.filter(public_id=_public_id(text)).first(),
    Kind.CLIENT: lambda text: Client.objects.filter(name=text).first(),
    Kind.PRODUCT: lambda text: Product.objects.filter(slug=text).first(),
    Kind.STORE: lambda text: Store.objects.filter(name=text).first(),
}


def _of_key(key: ApiKey) -> Q:
    """Its own, and those of the tokens that it gave."""
    own = Q(token_name=key.token_name) | Q(token_name__startswith=f"{key.token_name}/")
    return Q(own, client=key.client_id)


COVERED: Mapping[Kind, Callable[[Any], Q]] = {
    Kind.SESSION: lambda session: Q(pk=session.pk),
    Kind.BUILD: lambda build: Q(build=build),
    Kind.JOB_TOKEN: lambda token: Q(token_name=name_in_ledger(token)),
    Kind.API_KEY: _of_key,
    Kind.CLIENT: lambda client: Q(client=client),
    Kind.PRODUCT: lambda product: Q(product_slug=product.slug),
    Kind.STORE: lambda store: Q(store=store),
}
