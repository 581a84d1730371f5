"""From an identifier to the rows that it names, and to the sessions that belong to them.

Every look-up in a long table is an equality or a range on an indexed column, newest rows first.
Names of products, clients and people are looked for within: there are few of these.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from builds.models import Build, Product
from builds.names import ULID_LENGTH
from credentials.models import (
    AccessToken,
    ApiKey,
    AuditFinding,
    CiJob,
    Client,
    IssuedSession,
    JobToken,
    LedgerExport,
    Refusal,
)
from credentials.rules.identifiers import Identifier, Kind
from credentials.rules.networks import ip_hex_range, throttle_key
from credentials.rules.tokens import TokenKind

# Of each kind the newest so many are given.
LIMIT = 20
COMMIT_LENGTH = 40
OF_JOB_TOKEN = ("client", "api_key", "publisher__issuer")

Token = ApiKey | AccessToken | JobToken
Row = IssuedSession | Build | Product | Client | User | Token | Refusal


def look_up(identifiers: Iterable[Identifier]) -> dict[Identifier, list[Row]]:
    """The rows that each identifier names, at most `LIMIT`; none twice. Writes nothing.

    Of a key whose build is not known, the product that its root names.
    """
    found: dict[Identifier, list[Row]] = {}
    seen: set[Row] = set()
    for identifier in identifiers:
        rows = [row for row in LOOK_UPS[identifier.kind](identifier) if row not in seen]
        seen.update(rows)
        found[identifier] = rows
    return found


def sessions_of(rows: Iterable[Row]) -> list[IssuedSession]:
    """The newest sessions of builds, products, clients and tokens; of each at most `LIMIT`."""
    found: dict[str, IssuedSession] = {}
    for row in rows:
        found.update((session.pk, session) for session in _belonging_to(row)[:LIMIT])
    return list(found.values())


def refusals_of(rows: Iterable[Row]) -> list[Refusal]:
    """Refused calls of clients and of tokens, the last hours first; of each at most `LIMIT`."""
    found: list[Refusal] = []
    for row in rows:
        if isinstance(row, Client):
            refusals = row.refusals.all()
        elif isinstance(row, Token):
            refusals = client_of(row).refusals.filter(token_name=row.token_name)
        else:
            continue
        found += _newest(refusals)
    return found


def client_of(token: Token) -> Client:
    return token.api_key.client if isinstance(token, AccessToken) else token.client


# What the ledger alone knew of a session.
OF_SESSIONS = {
    *(Kind.ACCESS_KEY_ID, Kind.SESSION_NAME, Kind.LEDGER_ID, Kind.ASSUMED_ROLE_ARN),
    *(Kind.ASSUMED_ROLE_ID, Kind.REQUEST_ID),
}
LEDGER_ID = re.compile(rf"(?<![0-9a-z])[0-9a-z]{{{ULID_LENGTH}}}(?=-|$)")


def exports_with(identifiers: Iterable[Identifier]) -> list[LedgerExport]:
    """The exports in which sessions may be that are not in the ledger any more, by their time where
    the ledger id is known.
    """
    asked = [each.text for each in identifiers if each.kind in OF_SESSIONS]
    exports = LedgerExport.objects.exclude(sha256="")
    if keys := [found[0] for text in asked if (found := LEDGER_ID.search(text))]:
        exports = exports.filter(first_id__lte=max(keys), last_id__gte=min(keys))
    return list(exports) if asked else []


def lacks_build(identifier: Identifier, row: Row) -> bool:
    """Whether a key or root led to its product only, since no build has it."""
    return identifier.kind in (Kind.BUILD_ROOT, Kind.OBJECT_KEY) and isinstance(row, Product)


def findings_about(identifiers: Iterable[Identifier], rows: Iterable[Row]) -> list[AuditFinding]:
    """What audits found of sessions and builds and is not closed; also of access keys that the
    ledger does not know. Three statements, of which each gives at most `LIMIT`.
    """
    rows = list(rows)
    about = {
        "session_id": [row.pk for row in rows if isinstance(row, IssuedSession)],
        "build_id": [row.pk for row in rows if isinstance(row, Build)],
        "access_key_id": [each.text for each in identifiers if each.kind is Kind.ACCESS_KEY_ID],
    }
    found: dict[AuditFinding, None] = {}
    for name, values in about.items():
        open_ones = AuditFinding.objects.filter(**{f"{name}__in": values}, closed_at=None)
        # In the order of the index, so that as many are read as are given.
        findings = open_ones.select_related("store").order_by(name)[:LIMIT]
        found |= dict.fromkeys(findings if values else ())
    return sorted(found, key=lambda each: -each.pk)


def _belonging_to(row: Row) -> QuerySet[IssuedSession]:
    ledger = IssuedSession.objects.select_related("revocation", "policy_template")
    if isinstance(row, Build):
        return ledger.filter(build=row)
    if isinstance(row, Product):
        return ledger.filter(product_slug=row.slug)
    if isinstance(row, Client):  # the order of its index
        return ledger.filter(client=row).order_by("-requested_at")
    if isinstance(row, ApiKey | AccessToken | JobToken):
        return ledger.filter(token_name__in=_names_in_ledger(row))
    return ledger.none()


def name_in_ledger(token: Token) -> str:
    """What the ledger calls a token: after the API key that gave it."""
    key = None if isinstance(token, ApiKey) else token.api_key
    return f"{key.token_name}/{token.token_name}" if key else token.token_name


def _names_in_ledger(token: Token) -> list[str]:
    """Of a key also those of the newest tokens that it gave."""
    gave: list[AccessToken | JobToken] = []
    if isinstance(token, ApiKey):
        gave = [*token.sessions.order_by("-id")[:LIMIT], *token.job_tokens.all()[:LIMIT]]
    names = (f"{token.token_name}/{each.token_name}" for each in gave)
    return [name_in_ledger(token), *names]


def _sessions(**conditions: Any) -> list[Row]:
    sessions = IssuedSession.objects.select_related("revocation", "policy_template")
    return list(sessions.filter(**conditions)[:LIMIT])


def _named(session_name: str, **conditions: Any) -> list[Row]:
    """By the primary key, with which every name begins."""
    return _sessions(pk=session_name[:ULID_LENGTH], session_name=session_name, **conditions)


def _of_assumed_role(arn: str) -> list[Row]:
    """The role must be the session's own: another account's session may have the same name.

    An assumed-role ARN has the role's name without the path that its own ARN may have.
    """
    account, role, name = arn.split("/")
    roles = account.replace(":sts:", ":iam:").removesuffix("assumed-role")
    return _named(name, role_arn__startswith=f"{roles}role/", role_arn__endswith=f"/{role}")


def _of_network(network: str) -> list[Row]:
    """Its sessions, and its refused calls, the last hours first: counted by IPv6 /64."""
    first, last = ip_hex_range(network)
    is_one = first == last
    of_network = {"caller_ip_hex__gte": first, "caller_ip_hex__lte": last}
    sessions = _sessions(**{"caller_ip_hex": first} if is_one else of_network)
    refusals = Refusal.objects.filter(network=throttle_key(network) if is_one else network)
    return [*_newest(refusals), *sessions]


def _newest(refusals: QuerySet[Refusal]) -> QuerySet[Refusal]:
    return refusals.select_related("client").order_by("-hour", "-calls")[:LIMIT]


def _by_root(identifier: Identifier) -> list[Row]:
    in_bucket = {"bucket_name": identifier.bucket} if identifier.bucket else {}
    found = _builds(root=identifier.text, **in_bucket)
    return found or _products(Q(slug=identifier.text.partition("/")[0]))


def _builds(**conditions: Any) -> list[Row]:
    owned = Build.objects.select_related(
        "registration__client",
        "registration__job_token__ci_job",
        "registration__job_token__publisher__issuer",
    )
    return list(owned.filter(**conditions)[:LIMIT])


def _jobs(identifier: Identifier, condition: Q) -> list[Row]:
    if identifier.repository:
        condition &= Q(repository=identifier.repository)
    jobs = CiJob.objects.select_related(*(f"job_token__{name}" for name in OF_JOB_TOKEN))
    return [job.job_token for job in jobs.filter(condition)[:LIMIT]]


def _by_run(identifier: Identifier) -> list[Row]:
    text = identifier.text
    return _jobs(identifier, Q(run_id=text) | Q(run_number=text) | Q(job_id=text))


def _by_commit(identifier: Identifier) -> list[Row]:
    """By its first digits too: `g` comes after all of them."""
    text = identifier.text
    is_whole = len(text) == COMMIT_LENGTH
    condition = Q(commit=text) if is_whole else Q(commit__gte=text, commit__lt=f"{text}g")
    return _jobs(identifier, condition)


TOKENS: dict[str, QuerySet[Any]] = {
    TokenKind.API_KEY: ApiKey.objects.select_related("client"),
    TokenKind.ACCESS_TOKEN: AccessToken.objects.select_related("api_key__client"),
    TokenKind.JOB_TOKEN: JobToken.objects.select_related(*OF_JOB_TOKEN, "ci_job"),
}


def _tokens(name: str) -> list[Row]:
    """The last token of a name is meant. The ledger still knows those that are gone."""
    own_name = name.rpartition("/")[2]
    kind, _, public_id = own_name.partition("_")
    token = TOKENS[kind].filter(public_id=public_id).first()
    return [token] if token else _sessions(token_name=name)


def _people(text: str) -> list[Row]:
    names = Q(username__icontains=text) | Q(first_name__icontains=text)
    people = User.objects.filter(names | Q(last_name__icontains=text) | Q(email__icontains=text))
    return list(people.order_by("username")[:LIMIT])


def _products(condition: Q) -> list[Row]:
    products = Product.objects.select_related("store").prefetch_related("clients")
    return list(products.filter(condition).order_by("slug")[:LIMIT])


LOOK_UPS: dict[Kind, Callable[[Identifier], list[Row]]] = {
    Kind.TOKEN: lambda one: _tokens(one.text),
    Kind.ACCESS_KEY_ID: lambda one: _sessions(access_key_id=one.text),
    Kind.SESSION_NAME: lambda one: _named(one.text),
    Kind.LEDGER_ID: lambda one: _sessions(pk=one.text),
    Kind.ASSUMED_ROLE_ARN: lambda one: _of_assumed_role(one.text),
    # A store that gives no assumed-role ids leaves the name alone to go by.
    Kind.ASSUMED_ROLE_ID: lambda one: _named(
        one.text.partition(":")[2], assumed_role_id__in=[one.text, ""]
    ),
    Kind.REQUEST_ID: lambda one: _sessions(sts_request_id=one.text),
    Kind.RUN: _by_run,
    Kind.COMMIT: _by_commit,
    Kind.REPOSITORY: lambda one: _jobs(one, Q(repository=one.text)),
    Kind.WORKFLOW: lambda one: _jobs(one, Q(workflow=one.text)),
    Kind.BUILD_ROOT: _by_root,
    Kind.OBJECT_KEY: _by_root,
    Kind.BUILD_ID: lambda one: _builds(pk=int(one.text)),
    Kind.BUILD_SLUG: lambda one: _builds(slug=one.text),
    Kind.GIT_REF: lambda one: _builds(git_ref=one.text),
    Kind.PRODUCT: lambda one: _products(Q(slug__icontains=one.text) | Q(title__icontains=one.text)),
    Kind.CLIENT: lambda one: list(
        Client.objects.filter(name__icontains=one.text).order_by("name")[:LIMIT]
    ),
    Kind.PERSON: lambda one: _people(one.text),
    Kind.NETWORK: lambda one: _of_network(one.text),
}
