"""Check on the configured store that one build's credentials reach that build and nothing else."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

import structlog
from botocore.exceptions import ClientError
from django.utils import timezone

from builds.models import Build, Store
from credentials.access.origins import Origin
from credentials.isolation.calls import CALLS, NOT_STORED, PAGE, Call, Scene, parts_of
from credentials.isolation.canaries import Canaries, delete_canaries, register_canaries
from credentials.isolation.models import IsolationRun
from credentials.isolation.posting import BODY, note_post_support
from credentials.isolation.verdicts import Line, Outcome, is_passed, summary
from credentials.issuing import VendedSession, issue_session
from credentials.models import Delivery
from credentials.session_clients import s3_client, sts_client
from credentials.sts_errors import CALL_FAILED, error_code, http_status, loggable
from ltdkeeper.errors import DomainError

FORBIDDEN, NOT_FOUND = 403, 404
# How a bucket that takes no ACLs refuses one, with 400 (AWS S3 user guide, object ownership).
REFUSALS = {"AccessControlListNotSupported", NOT_STORED}
INSIDE = Origin(agent="ltdkeeper check_isolation")
CLEAN_UP = "clean up afterwards"

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


def request_check(*, store: Store, now: datetime, actor_id: int | None = None) -> IsolationRun:
    """Note that a store is to be checked; `manage.py check_isolation --requested` does it."""
    return IsolationRun.objects.create(store=store, requested_at=now, requested_by_id=actor_id)


def _perform(store: Store, tell: Callable[[Line], None]) -> None:
    canaries = register_canaries(store=store, now=timezone.now())
    try:
        scene = _scene(canaries)
        note_post_support(store=store, scene=scene)
        for call in CALLS:
            tell(_line(call, scene))
        tell(_clean_up(canaries, scene))
    except (DomainError, *CALL_FAILED) as err:
        log.warning("isolation_check_stopped", store=store.name, error=loggable(err))
        tell(_stopped(err))
    finally:
        delete_canaries(canaries=canaries, now=timezone.now())


def _scene(canaries: Canaries) -> Scene:
    """The session, and in each neighbour a page and an upload begun, with its own credentials."""
    own = _issue(canaries, canaries.own, Delivery.PROBE)
    scene = Scene(
        session=own,
        s3=s3_client(own),
        sts=sts_client(own),
        store=canaries.own.product.store,
        own=canaries.own,
        sibling=canaries.sibling,
        other=canaries.other,
    )
    for build in (canaries.sibling, canaries.other):
        s3 = s3_client(_issue(canaries, build, Delivery.PROBE))
        page, parts = f"{build.root}/{PAGE}", parts_of(build)
        scene.written.append(page)
        s3.put_object(Bucket=build.bucket_name, Key=page, Body=BODY)
        begun = s3.create_multipart_upload(Bucket=build.bucket_name, Key=parts)
        scene.neighbours[build.root], scene.uploads[build.root] = s3, begun["UploadId"]
    return scene


def _issue(canaries: Canaries, build: Build, delivery: Delivery) -> VendedSession:
    return issue_session(
        caller=canaries.caller,
        build_id=build.pk,
        delivery=delivery,
        origin=INSIDE,
        now=timezone.now(),
    )


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
    except CALL_FAILED as err:
        return Outcome.UNCLEAR, _answer(err)
    return Outcome.ACCEPTED, "200"


def _answer(err: Exception) -> str:
    """A store's status and code, or what went wrong instead of an answer."""
    if isinstance(err, ClientError):
        return f"{http_status(err)} {error_code(err)}"
    return str(getattr(err, "code", type(err).__name__))


def _clean_up(canaries: Canaries, scene: Scene) -> Line:
    """Remove every key that may have been written, each with a session that may remove it."""
    outcome, answer = attempt(lambda: _remove_all(canaries, scene))
    return Line(call=CLEAN_UP, expected=Outcome.ACCEPTED, outcome=outcome, answer=answer)


def _remove_all(canaries: Canaries, scene: Scene) -> None:
    cleaners = {
        build.root: s3_client(_issue(canaries, build, Delivery.CLEAN)) for build in canaries.builds
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
