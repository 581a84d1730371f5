"""Ending the token that a caller showed, before its time."""

from datetime import datetime

from credentials.access.callers import Caller
from credentials.access.jobs import end_job_token
from credentials.errors import KeyIsNotEnded


def end_token(*, caller: Caller, now: datetime) -> None:
    """End a job token or a key session at its next call. Raises KeyIsNotEnded for a bare key."""
    if caller.job_token:
        end_job_token(job_token=caller.job_token, now=now)
    elif caller.key_session:
        caller.key_session.delete()
    else:
        raise KeyIsNotEnded
