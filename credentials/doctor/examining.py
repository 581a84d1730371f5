"""Examines a store's account: makes every check, and lets none stop another."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import boto3
from django.utils import timezone

from builds.models import Store
from credentials.doctor.checks import CHECKS, Check
from credentials.doctor.expectations import expected_of
from credentials.doctor.findings import Finding, Result, Verdict, verdict_of
from credentials.doctor.hand import Hand
from credentials.doctor.obstacles import NotSupported, Obstacle, Unclear, Whose
from credentials.doctor.scene import Scene
from credentials.doctor.statements import UnreadableDocumentError
from credentials.identities import UnsafeIdentityError
from credentials.operations.isolation.checking import delete_canaries, register_canaries

# A policy that is none, a name that no policy is made of, an answer without what it should have.
UNREADABLE = (UnreadableDocumentError, UnsafeIdentityError, KeyError)


def examine_store(
    *,
    store: Store,
    auditor: boto3.session.Session | None,
    on_result: Callable[[Result], None] = lambda _result: None,
) -> list[Result]:
    """The results of all checks, in order. `on_result` hears each as it is known.

    What the account and its store do is a result, never an exception. The vendor's credentials
    are the service's own, from boto3's usual places.
    """
    results = []
    told: set[str] = set()
    with _scene(store, auditor) as scene:
        for check in CHECKS:
            result = _result(check, scene, told)
            results.append(result)
            on_result(result)
            if check.is_vital and result.verdict is Verdict.ERROR:
                break
    return results


@contextmanager
def _scene(store: Store, auditor: boto3.session.Session | None) -> Iterator[Scene]:
    """Canary builds of this examination's own; they are closed at its end."""
    canaries = register_canaries(store=store, now=timezone.now())
    closed: set[str] = set()
    expected = expected_of(store)
    hands = {
        whose: Hand(
            whose=whose,
            expected=expected,
            addressing=store.addressing,
            session=session,
            closed=closed,
        )
        for whose, session in (
            (Whose.AUDITOR, auditor),
            (Whose.VENDOR, boto3.session.Session()),
        )
    }
    try:
        yield Scene(
            store=store,
            canaries=canaries,
            auditor=hands[Whose.AUDITOR],
            vendor=hands[Whose.VENDOR],
        )
    finally:
        delete_canaries(canaries=canaries, now=timezone.now())


def _result(check: Check, scene: Scene, told: set[str]) -> Result:
    """`told` are the obstacles that concern all checks and were told before."""
    findings: list[Finding] = []
    try:
        findings.extend(check.act(scene))
    except Obstacle as err:
        return _stopped(check, findings, err, told)
    except UNREADABLE as err:
        unclear = Unclear(action="reading it", answer=f"{type(err).__name__}: {err}")
        return _stopped(check, findings, unclear, told)
    return _judged(check, findings)


def _stopped(check: Check, findings: list[Finding], err: Obstacle, told: set[str]) -> Result:
    """What was found before the obstacle stays; one that stops many checks is told once."""
    own = err.finding(check.id)
    if own and str(err) not in told:
        findings.append(own)
    if err.concerns_all:
        told.add(str(err))
    if findings:
        return _judged(check, findings)
    verdict = Verdict.NOT_SUPPORTED if isinstance(err, NotSupported) else Verdict.NOT_LOOKED_AT
    return Result(check=check.id, title=check.title, verdict=verdict, note=str(err))


def _judged(check: Check, findings: list[Finding]) -> Result:
    return Result(
        check=check.id,
        title=check.title,
        verdict=verdict_of(findings),
        findings=tuple(findings),
    )
