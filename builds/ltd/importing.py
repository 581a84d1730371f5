"""Take over products and builds from an LTD Keeper. What is here already is never overwritten."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import NoReturn

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

from builds.ltd.documents import KeeperBuild, KeeperProduct
from builds.ltd.keeper import Keeper, KeeperAnswerError
from builds.models import Build, Product, Store
from builds.services import continues_server_made_slug
from builds.slugs import build_root, escape_controls

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
    "It is listed, though it ended {:%F %T %Z}. Nothing is deleted because an LTD Keeper says so: "
    "end it there for good, so that it is not listed, or clear its end and import again."
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

        Safe to repeat: it goes on where it stopped. Raises KeeperUnreachableError, and
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
            reason = "The database refuses it."
        except KeeperAnswerError as err:
            fate, reason = Fate.FAILED, str(err)
        return Imported(kind=kind, name=_printable(name), fate=fate, reason=_printable(reason))

    def _product(self, slug: str) -> Fate:
        there = self.keeper.product(slug)
        if there.slug != slug or slug.startswith(self.reserved):
            raise Conflict("Its slug is not one that a product may have here.")
        if there.bucket != self.store.bucket:
            raise Conflict(f"Its bucket is {there.bucket}, the store's is {self.store.bucket}.")
        if found := Product.objects.filter(slug=slug).first():
            if found.store_id != self.store.pk:
                raise Conflict("A product of that slug is here, in another store.")
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
        if not there.is_finished:
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
            raise Conflict("Its root would lie behind that of a build which is here.")
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
        raise Conflict("Another build of that slug is here.")

    def _save(self, build: Build) -> None:
        """Raises Conflict when somebody registered the slug in this moment."""
        try:
            with transaction.atomic():
                build.save(force_insert=True)
        except IntegrityError as err:
            if not self._is_here(build):
                raise Conflict("The database refuses it.") from err


def _new_product(there: KeeperProduct, store: Store) -> Product:
    return Product(
        slug=there.slug,
        store=store,
        title=there.title,
        doc_repo=there.doc_repo,
        root_domain=there.root_domain,
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
        raise Conflict(f"{there.slug!r} is not a legal slug of a build.") from err
    if (there.bucket, there.root) != (store.bucket, root):
        raise Conflict(f"It lies in {there.bucket}/{there.root}, not in {store.bucket}/{root}.")
    if there.created_at > timezone.now() + TOLERANCE:
        raise Conflict(f"It was registered {there.created_at:%F %T %Z}, which lies ahead.")
    build = Build(
        slug=there.slug,
        server_made=False,
        bucket_name=there.bucket,
        root=root,
        git_refs=there.git_refs,
        github_requester=there.github_requester,
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
