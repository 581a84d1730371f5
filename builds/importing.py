"""Import products and builds from an LTD Keeper. Existing rows are never overwritten."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, NoReturn, TypeVar
from urllib.parse import quote, urlsplit

import orjson
import urllib3
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone
from msgspec import Meta, Struct, convert, field
from msgspec import ValidationError as MsgspecError
from urllib3.exceptions import HTTPError

from builds.models import Build, Product, Store
from builds.names import CONTROLS, build_root, escape_controls, short_ref
from builds.services import continues_server_made_slug

# What LTD Keeper says of products and builds, read strictly.
#
# Source: answers recorded from ltd-keeper 1.23.0 (`GET /products/<slug>`, `GET /builds/<id>`).

NAME_LENGTH = 255
CREDIBLE_YEARS = range(2000, 2200)

Kind = TypeVar("Kind")
Text = Annotated[str, Meta(pattern=rf"\A[^{CONTROLS}]+\Z")]
TextOrNone = Annotated[str, Meta(pattern=rf"\A[^{CONTROLS}]*\Z")] | None
SurrogateKey = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]


class DocumentError(ValueError):
    """A response is not what LTD Keeper gives; the message names the member."""


class KeeperProduct(Struct, kw_only=True):
    slug: Text
    bucket: Text = field(name="bucket_name")
    title: TextOrNone
    doc_repo: TextOrNone
    root_domain: TextOrNone
    surrogate_key: SurrogateKey


class KeeperBuild(Struct, kw_only=True):
    """A build as it is there. `ended_at` is when it was deleted: then it is not listed any more."""

    slug: Text
    bucket: Text = field(name="bucket_name")
    root: Text = field(name="bucket_root_dir")
    is_finished: bool = field(name="uploaded")
    git_refs: list[Text]
    github_requester: TextOrNone
    surrogate_key: SurrogateKey
    created_at: datetime = field(name="date_created")
    ended_at: datetime | None = field(name="date_ended")

    def __post_init__(self) -> None:
        self.created_at = _credible("date_created", self.created_at)
        self.ended_at = self.ended_at and _credible("date_ended", self.ended_at)


def _credible(name: str, moment: datetime) -> datetime:
    """What names no zone is UTC, as LTD Keeper keeps it."""
    if moment.year not in CREDIBLE_YEARS:
        raise ValueError(f"{name} is not of this time")
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def read_document(document: Any, kind: type[Kind]) -> Kind:
    """Raises DocumentError."""
    try:
        return convert(document, kind)
    except MsgspecError as err:
        raise DocumentError(f"the response is not what LTD Keeper returns: {err}") from err


def last_part(url: Any) -> str:
    """The slug or id at the end of an address. Raises DocumentError."""
    found = url.rstrip("/").rpartition("/")[2] if isinstance(url, str) else ""
    if not 0 < len(found) <= NAME_LENGTH:
        raise DocumentError("an address in a list is not one")
    return found


# Read a running LTD Keeper over HTTP: products, their builds, each build.
#
# Only the host that was named is asked, whatever addresses its answers hold, and no token is
# sent: LTD Keeper lets everybody read.

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
# For one answer with all attempts at it, however slowly its bytes come.
WHOLE_SECONDS = 180.0
# What is unpacked counts, not what is sent.
MOST_BYTES = 8 * 2**20
CHUNK_BYTES = 2**16
# A list of more is taken for one without end.
MOST_PAGES, MOST_NAMES = 2000, 1_000_000
QUERY_LENGTH = 2048
FURTHER_ATTEMPTS = 3
BACKOFF_SECONDS = 0.5
PASSING = (429, 502, 503, 504)
SUCCESS = 200


class KeeperUnreachableError(Exception):
    """It did not answer, even after some attempts; the message says what was tried."""


class KeeperAnswerError(Exception):
    """It answered, but not with what was asked for; the message says with what."""


class Keeper:
    """An LTD Keeper at an address such as `https://keeper.example.org`. Use as context manager.

    Raises ValueError for what is no http(s) address. All calls raise KeeperUnreachableError and
    KeeperAnswerError.
    """

    def __init__(self, url: str) -> None:
        if not _is_address(url):
            raise ValueError("not an address such as https://keeper.example.org")
        self._url = url.rstrip("/")
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=urllib3.Retry(
                total=FURTHER_ATTEMPTS,
                redirect=False,
                backoff_factor=BACKOFF_SECONDS,
                respect_retry_after_header=False,
            ),
            headers={"Accept": "application/json", "User-Agent": "ltdkeeper import_ltd"},
        )

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.clear()

    def product_slugs(self) -> list[str]:
        return list(self._listed("/products/", "products"))

    def product(self, slug: str) -> KeeperProduct:
        return self._read(f"/products/{quote(slug, safe='')}", KeeperProduct)

    def build_ids(self, slug: str) -> list[str]:
        """The ids of all builds of a product; they are not their slugs."""
        return list(self._listed(f"/products/{quote(slug, safe='')}/builds/", "builds"))

    def build(self, build_id: str) -> KeeperBuild:
        return self._read(f"/builds/{quote(build_id, safe='')}", KeeperBuild)

    def _read(self, path: str, kind: type[Kind]) -> Kind:
        try:
            return read_document(self._get(path), kind)
        except DocumentError as err:
            raise KeeperAnswerError(f"GET {path}: {err}.") from err

    def _listed(self, path: str, name: str) -> Iterator[str]:
        """LTD Keeper lists everything at once; others with its API say where the `next` page is."""
        following, asked, names = path, set[str](), 0
        while following:
            if following in asked:
                raise KeeperAnswerError(f"GET {path}: its pages repeat.")
            if len(asked) == MOST_PAGES or names > MOST_NAMES:
                raise KeeperAnswerError(f"GET {path}: the list has no end.")
            asked.add(following)
            document = self._get(following)
            if not isinstance(document, dict) or not isinstance(document.get(name), list):
                raise KeeperAnswerError(f"GET {path}: the response has no list of {name}.")
            try:
                yield from map(last_part, document[name])
            except DocumentError as err:
                raise KeeperAnswerError(f"GET {path}: {err}.") from err
            names += len(document[name])
            following = _following(path, document.get("next"))

    def _get(self, path: str) -> Any:
        try:
            with _at_most(WHOLE_SECONDS):
                body = self._body(path)
        except HTTPError as err:
            raise KeeperUnreachableError(f"GET {self._url}{path}: {_reason(err)}.") from err
        except _TooSlow as err:
            message = f"GET {self._url}{path}: no whole response within {WHOLE_SECONDS:.0f} s."
            raise KeeperUnreachableError(message) from err
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as err:
            raise KeeperAnswerError(f"GET {path}: the response is not JSON.") from err

    def _body(self, path: str) -> bytes:
        answer = self._answer(path)
        try:
            if answer.status != SUCCESS:
                location = answer.headers.get("Location", "")
                hint = f" It points to {location}." if location else ""
                raise KeeperAnswerError(f"GET {path}: status {answer.status}.{hint}")
            body = bytearray()
            while chunk := answer.read1(CHUNK_BYTES):
                body += chunk
                if len(body) > MOST_BYTES:
                    raise KeeperAnswerError(f"GET {path}: more than {MOST_BYTES} bytes.")
            answer.release_conn()
            return bytes(body)
        finally:
            answer.close()

    def _answer(self, path: str) -> urllib3.BaseHTTPResponse:
        """The response, its body unread. What fails in passing is asked again here: urllib3 would
        first read all of the response that it drops.
        """
        for attempt in range(FURTHER_ATTEMPTS + 1):
            if attempt:
                time.sleep(BACKOFF_SECONDS * 2 ** (attempt - 1))
            answer = self._http.request("GET", f"{self._url}{path}", preload_content=False)
            if answer.status not in PASSING:
                break
            answer.close()
        return answer


class _TooSlow(Exception):
    """Raised in the middle of a call; nothing of urllib3 takes it for a failure to try again."""


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raises _TooSlow when the body takes longer: time-outs of a socket begin anew at every byte.

    By the alarm of the main thread, in which commands run; elsewhere nothing is limited.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: Any) -> None:
        raise _TooSlow

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _is_address(url: str) -> bool:
    """Without user and password, which would be in every message."""
    try:
        parts = urlsplit(url)
        is_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    has_more = parts.query or parts.fragment or parts.username is not None
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and is_port and not has_more


def _following(path: str, address: Any) -> str:
    """The path of the next page, or nothing."""
    try:
        query = urlsplit(str(address or "")).query
    except ValueError:
        query = " "
    if len(query) > QUERY_LENGTH or not query.isprintable() or " " in query:
        raise KeeperAnswerError(f"GET {path}: the address of its next page is not one.")
    return f"{path}?{query}" if query else ""


def _reason(err: HTTPError) -> str:
    """The name of what went wrong, not of the attempts that it was tried in."""
    return type(getattr(err, "reason", None) or err).__name__


REASON_LENGTH = 500
# Clocks differ a little; a build from further ahead was not registered yet.
TOLERANCE = timedelta(hours=1)


class Fate(StrEnum):
    """What becomes of a product or build; in a dry run, what would."""

    IMPORTED = "imported"
    HERE_ALREADY = "here already"
    UNFINISHED = "not finished there"
    CONFLICT = "conflict"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A product (`kind` "product") or build, and its fate; `reason` for conflicts and failures."""

    kind: str
    name: str
    fate: Fate
    reason: str = ""


ENDED = (
    "It is listed, although it ended {:%F %T %Z}. An LTD Keeper never decides what is deleted "
    "here: end it there permanently, so that it is no longer listed, or clear its end and import "
    "again."
)


class Conflict(Exception):
    """It cannot be taken over as it is; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Import:
    """From where to where. Without `apply`, nothing is written. Product slugs that begin with
    `reserved` are conflicts. `on_builds` hears how many builds are about to come.
    """

    keeper: Keeper
    store: Store
    apply: bool
    reserved: str
    on_builds: Callable[[int], None]

    def everything(self) -> Iterator[Imported]:
        """Each product and each of its builds, in memory that grows with the ids alone.

        Safe to repeat: it continues where it stopped. Raises KeeperUnreachableError, and
        KeeperAnswerError when there is no list of products.
        """
        for slug in self.keeper.product_slugs():
            product = self._told("product", slug, partial(self._product, slug))
            yield product
            if product.fate not in {Fate.CONFLICT, Fate.FAILED}:
                yield from self._builds(slug)

    def _builds(self, product_slug: str) -> Iterator[Imported]:
        try:
            ids = self.keeper.build_ids(product_slug)
        except KeeperAnswerError as err:
            yield Imported(kind="product", name=product_slug, fate=Fate.FAILED, reason=str(err))
            return
        self.on_builds(len(ids))
        slugs: dict[str, str] = {}
        for build_id in ids:
            yield self._told(
                "build",
                f"{product_slug}, build {build_id}",
                partial(self._build, product_slug, build_id, slugs),
            )

    def _told(self, kind: str, name: str, take: Callable[[], Fate]) -> Imported:
        fate, reason = Fate.CONFLICT, ""
        try:
            fate = take()
        except Conflict as err:
            reason = str(err)
        except ValidationError as err:
            reason = " ".join(err.messages)
        except DataError:
            reason = "The database rejects it."
        except KeeperAnswerError as err:
            fate, reason = Fate.FAILED, str(err)
        return Imported(kind=kind, name=_printable(name), fate=fate, reason=_printable(reason))

    def _product(self, slug: str) -> Fate:
        there = self.keeper.product(slug)
        if there.slug != slug or slug.startswith(self.reserved):
            raise Conflict("Its slug is not allowed for a product here.")
        if there.bucket != self.store.bucket:
            raise Conflict(f"Its bucket is {there.bucket}, the store's is {self.store.bucket}.")
        if found := Product.objects.filter(slug=slug).first():
            if found.store_id != self.store.pk:
                raise Conflict("A product with that slug exists here, in another store.")
            if self.apply:
                Product.objects.filter(pk=found.pk, imported_at=None).update(
                    imported_at=timezone.now()
                )
            return Fate.HERE_ALREADY
        product = _new_product(there, self.store)
        product.clean_fields()
        if self.apply:
            with transaction.atomic():
                product.save()
        return Fate.IMPORTED

    def _build(self, product_slug: str, build_id: str, slugs: dict[str, str]) -> Fate:
        """`slugs` are those of the product that were listed so far, with their ids."""
        there = self.keeper.build(build_id)
        # One that shares its root with another has to be seen before it is finished.
        if not there.is_finished and not (
            there.slug in slugs or Build.objects.filter(root=there.root).exists()
        ):
            return Fate.UNFINISHED
        build = _new_build(there, product_slug, self.store)
        if slugs.setdefault(build.slug, build_id) != build_id:
            self._is_shared(build)
        if self._is_here(build):
            return Fate.HERE_ALREADY
        if there.ended_at:
            raise Conflict(ENDED.format(there.ended_at))
        product = Product.objects.filter(slug=product_slug).first()
        if product and continues_server_made_slug(product, build.slug):
            raise Conflict("Its root would be inside that of an existing build.")
        if self.apply and product:
            build.product = product
            self._save(build)
        return Fate.IMPORTED

    def _is_here(self, build: Build) -> bool:
        """Whether the very build is here. Raises Conflict when its root is another's, which is
        then never purged: LTD Keeper gives one root to two builds that are registered at once.
        """
        found = Build.objects.filter(root=build.root).first()
        if found is None:
            return False
        same = (found.surrogate_key, found.registered_at)
        if same != (build.surrogate_key, build.registered_at):
            self._is_shared(build)
        return True

    def _is_shared(self, build: Build) -> NoReturn:
        if self.apply:
            Build.objects.filter(root=build.root).update(root_is_shared=True)
        raise Conflict("Another build has that slug here.")

    def _save(self, build: Build) -> None:
        """Raises Conflict when somebody registered the slug in this moment."""
        try:
            with transaction.atomic():
                build.save(force_insert=True)
        except IntegrityError as err:
            if not self._is_here(build):
                raise Conflict("The database rejects it.") from err


def _new_product(there: KeeperProduct, store: Store) -> Product:
    return Product(
        slug=there.slug,
        store=store,
        title=there.title or "",
        doc_repo=there.doc_repo or "",
        root_domain=there.root_domain or "",
        surrogate_key=there.surrogate_key,
        imported_at=timezone.now(),
    )


def _new_build(there: KeeperBuild, product_slug: str, store: Store) -> Build:
    """The row for a finished build. LTD Keeper does not say when it was finished: as soon as it was
    registered is what it gets here. Raises Conflict, ValidationError.
    """
    try:
        root = build_root(product_slug, there.slug)
    except ValueError as err:
        raise Conflict(f"{there.slug!r} is not allowed as the slug of a build.") from err
    if (there.bucket, there.root) != (store.bucket, root):
        raise Conflict(f"It lies in {there.bucket}/{there.root}, not in {store.bucket}/{root}.")
    if there.created_at > timezone.now() + TOLERANCE:
        raise Conflict(f"It was registered {there.created_at:%F %T %Z}, which is in the future.")
    build = Build(
        slug=there.slug,
        server_made=False,
        bucket_name=there.bucket,
        root=root,
        git_refs=there.git_refs,
        git_ref=short_ref(there.git_refs[0]) if there.git_refs else None,
        github_requester=there.github_requester or "",
        surrogate_key=there.surrogate_key,
        registered_at=there.created_at,
        open_until=there.created_at + timedelta(seconds=1),
        finished_at=there.created_at,
    )
    build.clean_fields(exclude={"product", "git_refs"})
    return build


def _printable(text: str) -> str:
    """Names and reasons hold what the other side says, and go to a terminal."""
    return escape_controls(text[:REASON_LENGTH])
