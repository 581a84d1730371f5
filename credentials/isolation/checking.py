"""Check on the configured store that one build's credentials reach that build and nothing else."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

import structlog
from botocore.exceptions import ClientError
from django.utils import timezone

from builds.models import Build, Store
from credentials.isolation.calls import BODY, CALLS, PAGE, Call, Scene
from credentials.isolation.canaries import Canaries, delete_canaries, register_canaries
from credentials.isolation.models import IsolationRun
from credentials.isolation.posting import note_post_support
from credentials.isolation.verdicts import Line, Outcome, is_passed, summary
from credentials.issuing import VendedSession, issue_session
from credentials.models import Delivery
from credentials.session_clients import s3_client, sts_client
from credentials.sts_errors import CALL_FAILED, error_code, http_status, loggable
from ltdkeeper.errors import DomainError
from ltdkeeper.origins import Origin

FORBIDDEN = 403
# How a bucket that takes no ACLs refuses one, with 400 (AWS S3 user guide, object ownership).
REFUSALS = {"AccessControlListNotSupported"}
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
        for call in CALLS:
            tell(_line(call, scene))
        note_post_support(store=store, scene=scene)
        tell(_clean_up(canaries, scene))
    except (DomainError, *CALL_FAILED) as err:
        log.warning("isolation_check_stopped", store=store.name, error=loggable(err))
        tell(_stopped(err))
    finally:
        delete_canaries(canaries=canaries, now=timezone.now())


def _scene(canaries: Canaries) -> Scene:
    """Both sessions, and a page in the sibling, written with the sibling's own credentials."""
    own = _issue(canaries, canaries.own, Delivery.PROBE)
    sibling = _issue(canaries, canaries.sibling, Delivery.PROBE)
    page = f"{canaries.sibling.root}/{PAGE}"
    s3_client(sibling).put_object(Bucket=canaries.sibling.bucket_name, Key=page, Body=BODY)
    return Scene(
        session=own,
        s3=s3_client(own),
        sts=sts_client(own),
        store=canaries.own.product.store,
        own=canaries.own,
        sibling=canaries.sibling,
        written=[page],
    )


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
    return Line(
        call=call.title,
        expected=call.expected,
        outcome=outcome,
        answer=answer,
        probes_session_policy=call.expected is Outcome.REFUSED and call.role_allows,
    )


def attempt(act: Callable[[], object]) -> tuple[Outcome, str]:
    """What the store did: a 403 is a refusal, almost anything else that fails is unclear."""
    try:
        act()
    except ClientError as err:
        status, code = http_status(err), error_code(err)
        refused = status == FORBIDDEN or code in REFUSALS
        answer = f"{status} {code}"
        return Outcome.REFUSED if refused else Outcome.UNCLEAR, answer
    except CALL_FAILED as err:
        return Outcome.UNCLEAR, type(err).__name__
    return Outcome.ACCEPTED, "200"


def _clean_up(canaries: Canaries, scene: Scene) -> Line:
    """Remove every key that may have been written, each with a session that may remove it."""
    outcome, answer = attempt(lambda: _remove_all(canaries, scene))
    return Line(call=CLEAN_UP, expected=Outcome.ACCEPTED, outcome=outcome, answer=answer)


def _remove_all(canaries: Canaries, scene: Scene) -> None:
    own, sibling = (
        s3_client(_issue(canaries, build, Delivery.CLEAN))
        for build in (canaries.own, canaries.sibling)
    )
    for key in set(scene.written):
        is_inside = key == scene.own.root or key.startswith(f"{scene.own.root}/")
        is_sibling = key.startswith(f"{scene.sibling.root}/")
        if is_inside or is_sibling:
            (sibling if is_sibling else own).delete_object(Bucket=scene.bucket, Key=key)
        else:
            _remove_stray(scene, key)


def _remove_stray(scene: Scene, key: str) -> None:
    """Only a store that let the intruder write lets it remove its traces; else there are none."""
    try:
        scene.delete(key)
    except ClientError:
        log.debug("isolation_left_no_stray", key=key)


def _stopped(err: Exception) -> Line:
    """A check that could not be made proves nothing."""
    answer = f"{getattr(err, 'code', type(err).__name__)}"
    return Line(
        call="prepare the check",
        expected=Outcome.ACCEPTED,
        outcome=Outcome.UNCLEAR,
        answer=answer,
    )
