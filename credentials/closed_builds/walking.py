"""Do something with many builds, one after the other: what fails is told, and the rest goes on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from botocore.exceptions import ClientError

from builds.models import Build, BuildQuerySet
from credentials.errors import ListingUnusable, StsError
from credentials.sts_errors import CALL_FAILED, UNREADABLE, error_code, loggable
from ltdkeeper.errors import DomainError

AT_A_TIME = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one build. `failure` is a stable code, empty when it went well. `left` is
    the code of why nothing was to be done with it. `types` is what a look at its pages showed (see
    `credentials.survey.Types`), empty when there was none.
    """

    build: int
    root: str
    objects: int = 0
    bytes: int = 0
    failure: str = ""
    left: str = ""
    types: str = ""


def each_build(builds: BuildQuerySet, act: Callable[[Build], Outcome]) -> Iterator[Outcome]:
    """The outcomes of `act`, oldest build first, in memory that does not grow with them.

    A store that gives no sessions is not asked again: its builds fail with the same code.
    """
    without: dict[int, str] = {}
    for build in _one_by_one(builds):
        store_id = build.product.store_id
        if code := without.get(store_id):
            yield _failed(build, code)
            continue
        try:
            yield act(build)
        except StsError as err:
            without[store_id] = err.code
            yield _failed(build, err.code)
        except DomainError as err:
            yield _failed(build, err.code)
        except ClientError as err:
            log.warning("closed_build_refused", build=build.pk, error=loggable(err))
            yield _failed(build, f"store_refused: {error_code(err)}")
        except CALL_FAILED as err:
            log.warning("closed_build_failed", build=build.pk, error=loggable(err))
            yield _failed(build, "store_unreachable")
        except UNREADABLE as err:
            log.warning("closed_build_unreadable", build=build.pk, error=type(err).__name__)
            yield _failed(build, ListingUnusable.code)


def _one_by_one(builds: BuildQuerySet) -> Iterator[Build]:
    last = 0
    ordered = builds.with_store().order_by("pk")
    while page := list(ordered.filter(pk__gt=last)[:AT_A_TIME]):
        yield from page
        last = page[-1].pk


def _failed(build: Build, code: str) -> Outcome:
    return Outcome(build=build.pk, root=build.root, failure=code)
