"""Check on the configured store that one build's credentials reach that build and nothing else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime

import structlog
from botocore.exceptions import ClientError
from django.db import transaction
from django.utils import timezone

from builds.errors import DomainError
from builds.models import Build, Product, Store
from builds.services import create_product
from credentials.access.callers import Caller, Origin
from credentials.access.clients import CANARY_PREFIX
from credentials.access.registrations import delete_registered_build, register_owned_build
from credentials.errors import CanaryElsewhere, CanaryHasKeys
from credentials.models import Client, Delivery, Grant
from credentials.models.runs import IsolationRun
from credentials.operations.findings import Finding, Rule
from credentials.operations.isolation.calls import CALLS, NOT_STORED, PAGE, Call, Scene, parts_of
from credentials.operations.isolation.posting import BODY, note_post_support
from credentials.rules.verdicts import Line, Outcome, is_passed, summary
from credentials.vending.issuing import VendedSession, issue_session, s3_client
from credentials.vending.store_clients import ONE_CALL, store_client
from credentials.vending.store_errors import CALL_FAILED, error_code, http_status, loggable

# The builds that a check is made with: a product of its own in each store, made when needed.

CLIENT_NAME = "isolation-check"


@dataclass(frozen=True, kw_only=True)
class ProbeBuilds:
    """Two open builds of one product, one of another, and their client, which has no key."""

    caller: Caller
    own: Build
    sibling: Build
    other: Build

    @property
    def builds(self) -> tuple[Build, Build, Build]:
        return self.own, self.sibling, self.other

    def session(
        self, build: Build, delivery: Delivery, *, origin: Origin | None = None
    ) -> VendedSession:
        """Raises a DomainError."""
        return issue_session(
            caller=self.caller,
            build_id=build.pk,
            delivery=delivery,
            origin=origin or INSIDE,
            now=timezone.now(),
        )


def product_slugs(store: Store) -> tuple[str, str]:
    """The slugs of a store's probe products."""
    return f"{CANARY_PREFIX}{store.pk}", f"{CANARY_PREFIX}{store.pk}-other"


@contextmanager
def probe_builds(store: Store) -> Iterator[ProbeBuilds]:
    """Fresh builds of the store's probe products, closed at the end; their rows stay, as every
    build's do. Raises a DomainError: CanaryElsewhere, CanaryHasKeys, or why none is registered.
    """
    with transaction.atomic():
        client, _ = Client.objects.get_or_create(name=CLIENT_NAME)
        product, another = (_probe_product(store, slug) for slug in product_slugs(store))
        for each in (product, another):
            Grant.objects.get_or_create(client=client, product=each)
    if client.api_keys.exists():
        raise CanaryHasKeys
    caller, builds = Caller(client=client), list[Build]()
    try:
        for each in (product, product, another):
            builds.append(_register(caller, each, timezone.now()))
        own, sibling, other = builds
        yield ProbeBuilds(caller=caller, own=own, sibling=sibling, other=other)
    finally:
        for build in builds:
            delete_registered_build(build_id=build.pk, now=timezone.now())


def _probe_product(store: Store, slug: str) -> Product:
    if found := Product.objects.select_related("store").filter(slug=slug).first():
        if found.store != store:
            raise CanaryElsewhere
        return found
    return create_product(slug=slug, store_name=store.name, title="Checks of isolation")


def _register(caller: Caller, product: Product, now: datetime) -> Build:
    return register_owned_build(
        caller=caller,
        product=product,
        slug=None,
        git_refs=["isolation-check"],
        github_requester="",
        now=now,
    )


FORBIDDEN, NOT_FOUND = 403, 404
# How a bucket that takes no ACLs refuses one, with 400 (AWS S3 user guide, object ownership).
REFUSALS = {"AccessControlListNotSupported", NOT_STORED}
INSIDE = Origin(agent="ltdkeeper check_isolation")
CLEAN_UP = "clean up afterwards"
# LookupError: a response without what it should have.
FAILED = (DomainError, LookupError, *CALL_FAILED)

log = structlog.get_logger(__name__)


def run_check(*, run: IsolationRun, on_line: Callable[[Line], None]) -> IsolationRun:
    """Perform a requested run and store its verdict. `on_line` hears each line as it is known."""
    lines: list[Line] = []

    def tell(line: Line) -> None:
        lines.append(line)
        on_line(line)

    _perform(run.store, tell)
    run.finish(
        lines=[asdict(line) for line in lines], passed=is_passed(lines), summary=summary(lines)
    )
    return run


def broken_isolation(run: IsolationRun) -> Iterator[Finding]:
    """What a failed run is kept as."""
    if run.verdict == "failed":
        yield Finding(
            rule=Rule.ISOLATION_BROKEN,
            subject=run.store.name,
            what=run.summary,
            why="A job can change what another one publishes.",
            change="Issue no sessions for the store until the check passes: "
            "LTD_REQUIRE_ISOLATION_CHECK does that. `manage.py doctor` says what differs.",
        )


def request_check(*, store: Store, now: datetime, actor_id: int | None = None) -> IsolationRun:
    """Note that a store is to be checked; `manage.py check_isolation --requested` does it."""
    return IsolationRun.objects.create(store=store, requested_at=now, requested_by_id=actor_id)


def _perform(store: Store, tell: Callable[[Line], None]) -> None:
    try:
        with probe_builds(store) as probes:
            scene = _scene(probes)
            try:
                _add_neighbours(scene, probes)
                note_post_support(store=store, scene=scene)
                for call in CALLS:
                    tell(_line(call, scene))
            except BaseException:  # an interruption as well leaves nothing at the store
                _clean_up(probes, scene)
                raise
            tell(_clean_up(probes, scene))
    except FAILED as err:
        log.warning("isolation_check_stopped", store=store.name, error=loggable(err))
        tell(_stopped(err))


def _scene(probes: ProbeBuilds) -> Scene:
    own, store = probes.session(probes.own, Delivery.PROBE), probes.own.product.store
    return Scene(
        session=own,
        s3=s3_client(own, ONE_CALL),
        sts=store_client(store, "sts", own.assumed, ONE_CALL),
        store=store,
        own=probes.own,
        sibling=probes.sibling,
        other=probes.other,
    )


def _add_neighbours(scene: Scene, probes: ProbeBuilds) -> None:
    """In each a page and an upload begun, with its own credentials."""
    for build in (probes.sibling, probes.other):
        s3 = s3_client(probes.session(build, Delivery.PROBE), ONE_CALL)
        page, parts = f"{build.root}/{PAGE}", parts_of(build)
        scene.written.append(page)
        s3.put_object(Bucket=build.bucket_name, Key=page, Body=BODY)
        begun = s3.create_multipart_upload(Bucket=build.bucket_name, Key=parts)
        scene.neighbours[build.root], scene.uploads[build.root] = s3, begun["UploadId"]


def _line(call: Call, scene: Scene) -> Line:
    outcome, answer = attempt(lambda: call.act(scene))
    if call.may_be_missing and answer.startswith(str(NOT_FOUND)):
        outcome = Outcome.REFUSED
    return Line(
        call=call.title,
        expected=call.expected,
        outcome=outcome,
        answer=answer,
        probes_session_policy=call.probes_session_policy(scene.store),
    )


def attempt(act: Callable[[], object]) -> tuple[Outcome, str]:
    """What the store did: a 403 is a refusal, almost anything else that fails is unclear."""
    try:
        act()
    except ClientError as err:
        refused = http_status(err) == FORBIDDEN or error_code(err) in REFUSALS
        return Outcome.REFUSED if refused else Outcome.UNCLEAR, _answer(err)
    except FAILED as err:
        return Outcome.UNCLEAR, _answer(err)
    return Outcome.ACCEPTED, "200"


def _answer(err: Exception) -> str:
    """A store's status and code, or what went wrong instead of a response."""
    if isinstance(err, ClientError):
        return f"{http_status(err)} {error_code(err)}"
    return str(getattr(err, "code", type(err).__name__))


def _clean_up(probes: ProbeBuilds, scene: Scene) -> Line:
    """Remove every key that may have been written, each with a session that may remove it."""
    outcome, answer = attempt(lambda: _remove_all(probes, scene))
    if outcome is not Outcome.ACCEPTED:
        log.warning("isolation_check_left_objects", keys=sorted(set(scene.written)), answer=answer)
    return Line(call=CLEAN_UP, expected=Outcome.ACCEPTED, outcome=outcome, answer=answer)


def _remove_all(probes: ProbeBuilds, scene: Scene) -> None:
    cleaners = {
        build.root: s3_client(probes.session(build, Delivery.CLEAN), ONE_CALL)
        for build in probes.builds
    }
    for key in set(scene.written):
        inside = [root for root in cleaners if key == root or key.startswith(f"{root}/")]
        if inside:
            cleaners[inside[0]].delete_object(Bucket=scene.bucket, Key=key)
        else:
            _remove_stray(scene, key)
    for root, upload_id in scene.uploads.items():
        _end_upload(scene, root, upload_id)


def _end_upload(scene: Scene, root: str, upload_id: str) -> None:
    """Unless the intruder could, its own session aborts it."""
    try:
        scene.neighbours[root].abort_multipart_upload(
            Bucket=scene.bucket, Key=f"{root}/parts", UploadId=upload_id
        )
    except ClientError as err:
        if http_status(err) != NOT_FOUND:
            raise


def _remove_stray(scene: Scene, key: str) -> None:
    """Only a store that let the intruder write lets it remove its traces; else there are none."""
    try:
        scene.s3.delete_object(Bucket=scene.bucket, Key=key)
    except ClientError:
        log.debug("isolation_left_no_stray", key=key)


def _stopped(err: Exception) -> Line:
    """A check that could not be made proves nothing."""
    return Line(
        call="prepare the check",
        expected=Outcome.ACCEPTED,
        outcome=Outcome.UNCLEAR,
        answer=_answer(err),
    )
