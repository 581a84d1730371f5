"""Finish a build: look at what arrived, hold it against the ledger, close it."""

from datetime import datetime

from builds.errors import BuildClosed
from builds.models import Build
from builds.services import finish_build
from credentials.access.callers import Caller
from credentials.access.origins import Origin
from credentials.access.ownership import closable_build
from credentials.errors import SessionWithheld
from credentials.models import IssuedSession
from credentials.survey import survey_build


def finish_owned_build(
    *, caller: Caller, build_id: int, empty_allowed: bool, origin: Origin, now: datetime
) -> Build:
    """Close the caller's build as complete; finishing it again gives the same answer.

    Raises as `closable_build` does, BuildClosed, EmptyBuild. A build with objects for which no
    session that can write was ever issued is marked: other credentials wrote them, most likely
    static keys in the uploader's environment, which win silently over ours.
    """
    build = closable_build(caller=caller, build_id=build_id)
    if build.state(now) is Build.State.FINISHED:
        return build
    try:
        survey = survey_build(caller=caller, build=build, origin=origin, now=now)
    except (BuildClosed, SessionWithheld):
        # Perhaps another call finished it meanwhile: then its answer is the answer here as well.
        build = closable_build(caller=caller, build_id=build_id)
        if build.state(now) is Build.State.FINISHED:
            return build
        raise
    written = IssuedSession.objects.for_build(build).issued().writing().exists()
    return finish_build(
        build_id=build_id,
        survey=survey,
        empty_allowed=empty_allowed,
        written_without_session=survey.has_objects is True and not written,
        now=now,
    )
