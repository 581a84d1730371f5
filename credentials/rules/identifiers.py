"""What a text that somebody pastes may be the identifier of: found by its form alone. Pure.

Forms overlap: `main` may be a branch, a product or a build, and a store that is not AWS has access
keys without a prefix. So every kind whose form fits is given, and the database says which it is.
Of a whole line of a log, what names a session counts first, then CI jobs, builds and addresses.

What is given never holds a secret: of a token it is the name, of a signed address the access key id
and the object, and what has the form of a secret is nothing.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_interface
from urllib.parse import parse_qsl, unquote, urlsplit

from builds.names import (
    GIT_REF_LENGTH,
    is_bucket_name,
    is_build_root,
    is_build_slug,
    is_product_slug,
    short_ref,
)


class Kind(StrEnum):
    """What an identifier names, as people call it."""

    TOKEN = "token"  # noqa: S105 - a word
    ACCESS_KEY_ID = "access key id"
    SESSION_NAME = "session name"
    LEDGER_ID = "ledger id"
    ASSUMED_ROLE_ARN = "assumed-role ARN"
    ASSUMED_ROLE_ID = "assumed-role id"
    REQUEST_ID = "STS request id"
    RUN = "CI run or job"
    COMMIT = "commit"
    REPOSITORY = "repository"
    WORKFLOW = "workflow"
    BUILD_ROOT = "build root"
    OBJECT_KEY = "object key"
    BUILD_ID = "build id"
    BUILD_SLUG = "build slug"
    GIT_REF = "branch or tag"
    PRODUCT = "product"
    CLIENT = "client"
    PERSON = "person"
    NETWORK = "IP address or network"


@dataclass(frozen=True, kw_only=True)
class Identifier:
    """A text of one kind. Of an object key it is the build's root; of a token its name, never its
    secret. `bucket` and `repository` are known where the text says where its object or run is.
    """

    kind: Kind
    text: str
    bucket: str = ""
    repository: str = ""


# More is not read, and more kinds are not looked up.
LONGEST, MOST = 8192, 12
# What a copied text has around it in logs, JSON, shells and sentences.
AROUND = " \t\r\n\v\f\"'`,;/<>()[]{}"
AFTER = AROUND + ".!?"
_BETWEEN = re.compile(r"[\s,;|\"'`<>(){}\[\]]+")
# `name=value`, `"name": "value"`, `name: value`; not `s3://`, `arn:aws` or `AROA:name`.
_LABEL = re.compile(r"[A-Za-z_][\w.-]{0,63}[\"']?\s{0,2}(?:=|:(?=[\s\"']))", re.ASCII)

# The name of a token as the ledger has it: the key, then what it gave. A secret may follow.
_TOKEN = re.compile(r"ltd[ksj]_[a-z0-9]{12}(/ltd[ksj]_[a-z0-9]{12})?")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}", re.ASCII)
# Four characters are three bytes; what stands before a word may look like a part of it.
_ALIGNMENTS = range(4)
_URL_SAFE = str.maketrans("+/", "-_")
# The secret of a token alone; a secret access key, in which AWS mixes upper and lower case.
_SECRET = re.compile(r"[0-9a-f]{64}|(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/]{40}", re.ASCII)

# IAM: names of roles have up to 64 characters, names of sessions 2 to 64, key ids 16 to 128.
_LEDGER_ID, _NAME = r"[0-9a-z]{26}", r"[\w+=,.@-]"
_UUID, _COMMIT = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"[0-9a-f]{40}"
# Forms that say what a text is. Sessions are named by their ledger id here, on any store.
_TELLING = {
    Kind.ACCESS_KEY_ID: r"A[SK]IA[A-Z0-9]{12,124}",
    Kind.SESSION_NAME: rf"{_LEDGER_ID}-[0-9a-z-]{{1,37}}",
    Kind.ASSUMED_ROLE_ARN: rf"arn:aws[a-z-]*:sts::[\w-]*:assumed-role/{_NAME}{{1,64}}"
    rf"/{_NAME}{{2,64}}",
    Kind.ASSUMED_ROLE_ID: rf"AROA[A-Z0-9]{{12,124}}:{_NAME}{{2,64}}"
    rf"|[\w-]{{1,128}}:{_LEDGER_ID}{_NAME}{{0,38}}",
    Kind.LEDGER_ID: _LEDGER_ID,
}
# Forms that a text may have by chance as well.
_POSSIBLE = {
    Kind.ACCESS_KEY_ID: r"[\w.+=-]{16,128}",
    Kind.REQUEST_ID: r"[\w.-]{16,128}",
    Kind.COMMIT: r"[0-9a-f]{7,40}",
    Kind.RUN: r"[0-9]{1,20}",
    Kind.BUILD_ID: r"[0-9]{1,18}",
    Kind.REPOSITORY: r"(?!refs/)[\w.-]+(/[\w.-]+)+",
}
# Ids that are too long for a name of anything.
_LONG_IDS = {
    re.compile(form, re.ASCII): kinds
    for form, kinds in (
        (_UUID, (Kind.REQUEST_ID, Kind.RUN, Kind.WORKFLOW, Kind.BUILD_SLUG)),
        (_COMMIT, (Kind.COMMIT, Kind.ACCESS_KEY_ID, Kind.REQUEST_ID, Kind.BUILD_SLUG)),
    )
}
_TELLING_FORMS = {kind: re.compile(form, re.ASCII) for kind, form in _TELLING.items()}
_POSSIBLE_FORMS = {kind: re.compile(form, re.ASCII) for kind, form in _POSSIBLE.items()}
# git-check-ref-format(1) forbids more; what it forbids is no branch of anybody.
_GIT_REF = re.compile(rf"\w[\w./+@#-]{{0,{GIT_REF_LENGTH + 10}}}")
# Names of workflows, products, clients and people.
_WORDS = re.compile(r"\w[\w .,@+:/&#-]{1,63}")
_NAMED = (Kind.WORKFLOW, Kind.PRODUCT, Kind.CLIENT, Kind.PERSON)
_SITES = (Kind.PRODUCT, Kind.CLIENT)

_ADDRESS_WITH_PORT = re.compile(r"((?:[0-9]{1,3}\.){3}[0-9]{1,3}):[0-9]{1,5}", re.ASCII)
_IN_BUCKET = re.compile(r"s3://|arn:aws[a-z-]*:s3:::", re.ASCII)
_BUCKET_HOST = re.compile(r"(.+)\.s3[.-][a-z0-9.-]*amazonaws\.com(\.cn)?", re.ASCII)
_SIGNER = re.compile(r"(?:X-Amz-Credential|AWSAccessKeyId)=([\w.+-]{16,128})", re.ASCII)
_REPOSITORY = r"/(?P<repository>[\w.-]+(?:/[\w.-]+)+?)"
# Pages of CI providers and forges, by their paths.
_PAGES = {
    Kind.RUN: re.compile(
        rf"{_REPOSITORY}/(?:actions/runs|-/jobs|-/pipelines|builds)/(?P<text>[0-9]{{1,20}})\b"
    ),
    Kind.COMMIT: re.compile(rf"{_REPOSITORY}/(?:-/)?commits?/(?P<text>[0-9a-f]{{7,40}})\b"),
    Kind.WORKFLOW: re.compile(r"/pipelines/.*/workflows/(?P<text>[0-9a-f-]{36})\b"),
    Kind.GIT_REF: re.compile(rf"{_REPOSITORY}/(?:-/)?tree/(?P<text>\w[\w./+@#-]{{0,254}})"),
}
_REPOSITORY_PAGE = re.compile(r"/([\w.-]+/[\w.-]+?)(?:\.git)?(?:/|\Z)", re.ASCII)
_KEEPER_PAGE = re.compile(r"/(products|builds)/([^/]+)")
# Nothing is published there, whatever their paths look like.
_PROVIDERS = ("github.com", "gitlab.com", "buildkite.com", "app.circleci.com")
# What the admin and the ledger show of a job: `describe_job` of GitHub and GitLab.
_JOB_LINE = re.compile(r"([\w.-]+(?:/[\w.-]+)+) [a-z_]+ \S+ ([0-9]{1,20}) [0-9]+", re.ASCII)

# Of a line with several, these come first, and then the others do not count.
_LEVELS = (
    frozenset(_TELLING),
    frozenset({Kind.RUN, Kind.COMMIT, Kind.REPOSITORY}),
    frozenset({Kind.BUILD_ROOT, Kind.OBJECT_KEY, Kind.BUILD_ID}),
    frozenset({Kind.NETWORK}),
)


def recognise(text: str) -> tuple[Identifier, ...]:
    """Everything that a text may be by its form, the most telling first; nothing for any other.

    A text that holds a token is that token, whatever stands around it.
    """
    text = text[:LONGEST]
    if name := _token_name(text):
        return (Identifier(kind=Kind.TOKEN, text=name),)
    value = _value(text)
    found = list(_telling(value)) or _most_telling_words(text) or list(_possible(value))
    return tuple(dict.fromkeys(found))[:MOST]


def _token_name(text: str) -> str:
    """The name of a token, also in a percent-encoded text and in HTTP Basic authentication."""
    encoded = (_decoded(word[n:]) for word in _BASE64.findall(text) for n in _ALIGNMENTS)
    for each in (text, unquote(text), unquote(unquote(text)), *encoded):
        if found := _TOKEN.search(each):
            return found[0]
    return ""


def _decoded(word: str) -> str:
    whole = word[: len(word) // 4 * 4].translate(_URL_SAFE)
    return base64.urlsafe_b64decode(whole).decode(errors="replace")


def _value(text: str) -> str:
    """Without what stands around it, and without the name that it was given in a log."""
    text = text.strip(AROUND).rstrip(AFTER)
    label = _LABEL.match(text)
    return text[label.end() :].strip(AROUND) if label else text


def _most_telling_words(text: str) -> list[Identifier]:
    words = (_value(word).removesuffix(":") for word in _BETWEEN.split(text))
    found = [each for word in words for each in _telling(word)]
    for level in _LEVELS:
        if first := [each for each in found if each.kind in level]:
            return first
    return []


def _telling(text: str) -> Iterator[Identifier]:
    """What a text is by a form that others hardly have."""
    if text.startswith(("https://", "http://")):
        yield from _page(text)
    elif found := _object(text) or _job(text) or _network(text):
        yield found
        if found.kind is Kind.NETWORK:  # a version looks like an address
            yield from _of_kinds(text, _slugs(text))
    else:
        kinds = [kind for kind, form in _TELLING_FORMS.items() if form.fullmatch(text)]
        yield from _of_kinds(text, kinds)
        if Kind.LEDGER_ID in kinds:  # builds without a chosen slug are named alike
            yield Identifier(kind=Kind.BUILD_SLUG, text=text)


def _of_kinds(text: str, kinds: Iterable[Kind]) -> Iterator[Identifier]:
    return (Identifier(kind=kind, text=text) for kind in kinds)


def _object(text: str) -> Identifier | None:
    """A build's root or a key below it; alone or in a bucket: `s3://bucket/key`, an object's ARN,
    `bucket/key`.
    """
    prefix = _IN_BUCKET.match(text)
    path = unquote(text[prefix.end() :] if prefix else text)
    bucket, _, key = path.partition("/")
    found = None if prefix else _below_root(path)
    return found or (_below_root(key, bucket) if is_bucket_name(bucket) else None)


def _below_root(path: str, bucket: str = "") -> Identifier | None:
    root = "/".join(path.split("/")[:3])
    if not is_build_root(root):
        return None
    kind = Kind.BUILD_ROOT if path == root else Kind.OBJECT_KEY
    return Identifier(kind=kind, text=root, bucket=bucket)


def _job(text: str) -> Identifier | None:
    found = _JOB_LINE.fullmatch(text)
    return found and Identifier(kind=Kind.RUN, text=found[2], repository=found[1])


def _network(text: str) -> Identifier | None:
    """An address, with or without its port, or a network."""
    if found := _ADDRESS_WITH_PORT.fullmatch(text):
        text = found[1]
    try:
        network = ip_interface(text).network
    except ValueError:
        return None
    is_one = network.num_addresses == 1
    name = str(network.network_address) if is_one else str(network)
    return Identifier(kind=Kind.NETWORK, text=name)


def _page(address: str) -> Iterator[Identifier]:
    """What an address of the web leads to. Of its query an access key id and a prefix count."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return
    if host is None:
        return
    path = unquote(parts.path).rstrip("/")
    signer = _SIGNER.search(unquote(parts.query))
    if signer:
        yield Identifier(kind=Kind.ACCESS_KEY_ID, text=signer[1])
    found = list(_of_provider(host, path))
    if host not in _PROVIDERS:
        found += [*_of_store(host, path, parts.query), *_of_keeper(host, path)]
    yield from found
    label = host.partition(".")[0]
    if not found and not signer and is_product_slug(label):
        yield Identifier(kind=Kind.PRODUCT, text=label)


def _of_store(host: str, path: str, query: str) -> Iterator[Identifier]:
    """An object by path or by virtual host, and in the AWS console, which has it in the query."""
    in_host = _BUCKET_HOST.fullmatch(host)
    if found := _below_root(path[1:], in_host[1] if in_host else "") or _object(path[1:]):
        yield found
    for name, value in parse_qsl(query):
        if name == "prefix" and (shown := _below_root(value)):
            yield shown


def _of_provider(host: str, path: str) -> Iterator[Identifier]:
    for kind, form in _PAGES.items():
        if found := form.match(path):
            repository = found["repository"] if kind in {Kind.RUN, Kind.COMMIT} else ""
            yield Identifier(kind=kind, text=found["text"], repository=repository)
            return
    if host in _PROVIDERS and (found := _REPOSITORY_PAGE.match(path)):
        yield Identifier(kind=Kind.REPOSITORY, text=found[1])


def _of_keeper(host: str, path: str) -> Iterator[Identifier]:
    """A build or product by its address in this API; a build by its address on its product's own
    host, `https://<product>.example.org/builds/<slug>`.
    """
    found = _KEEPER_PAGE.match(path)
    if found is None:
        return
    collection, name = found.groups()
    if collection == "products" and is_product_slug(name):
        yield Identifier(kind=Kind.PRODUCT, text=name)
    elif collection == "builds":
        if _POSSIBLE_FORMS[Kind.BUILD_ID].fullmatch(name):
            yield Identifier(kind=Kind.BUILD_ID, text=name)
        if is_build_root(root := f"{host.partition('.')[0]}/builds/{name}"):
            yield Identifier(kind=Kind.BUILD_ROOT, text=root)


def _possible(text: str) -> Iterator[Identifier]:
    """Everything that a word, or a name of several, may be."""
    if any(_SECRET.fullmatch(word) for word in text.split()):
        return
    for form, kinds in _LONG_IDS.items():
        if form.fullmatch(text):
            yield from _of_kinds(text, kinds)
            return
    possible = [kind for kind, form in _POSSIBLE_FORMS.items() if form.fullmatch(text)]
    yield from _of_kinds(text, [*possible, *_slugs(text)])
    if _GIT_REF.fullmatch(text):
        yield Identifier(kind=Kind.GIT_REF, text=short_ref(text))
    if _WORDS.fullmatch(text):
        yield from _of_kinds(text, _SITES if text.isdecimal() else _NAMED)


def _slugs(text: str) -> list[Kind]:
    return [Kind.BUILD_SLUG] if is_build_slug(text) else []
