"""What the service may answer to calls that are under way together, and how it stands then.

Every call is one step or a few, each of which happens at one moment. `outcomes` goes through every
order in which the steps of all calls can follow each other, and keeps those orders in which each
call is answered as it was seen to be answered.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

OK, REFUSED, WITHHELD = "ok", "invalid_credentials", "session_withheld"
CLOSED, SPENT, UNREACHABLE = "build_closed", "job_finished", "sts_unreachable"


@dataclass(frozen=True, kw_only=True)
class State:
    """Of one client: whether it is active, which of its job tokens live, what build each job has,
    and what each build is. `revoked`: sessions were, during these calls.
    """

    active: bool = True
    alive: tuple[bool, ...]
    current: tuple[int | None, ...]
    builds: tuple[str, ...] = ()
    revoked: bool = False

    def lets_in(self, job: int) -> bool:
        return self.active and self.alive[job]

    def with_build(self, build: int, state: str) -> "State":
        return replace(self, builds=_changed(self.builds, build, state))

    def is_spent(self, job: int) -> bool:
        build = self.current[job]
        return build is not None and self.builds[build] == "finished"


def _changed(values: tuple[Any, ...], place: int, value: Any) -> tuple[Any, ...]:
    return (*values[:place], value, *values[place + 1 :])


@dataclass(frozen=True, kw_only=True)
class Call:
    """`kind` for a job, about `build`; `made` is the build that a registration gave."""

    kind: str
    job: int
    build: int | None = None
    made: int | None = None
    answer: str = ""


DONE = None
# A step's results: how things stand then, and the next step or the answer.
Result = tuple[State, int | str]


def _begin(call: Call, state: State) -> Iterator[Result]:
    if not state.lets_in(call.job):
        yield state, REFUSED
    elif call.kind in {"register", "delete"}:
        yield state, 1
    elif call.kind == "finish" and state.builds[call.build] == "finished":
        yield state, OK
    else:
        yield state, 1 if state.builds[call.build] == "open" else CLOSED


def _register(call: Call, state: State) -> Iterator[Result]:
    older = state.current[call.job]
    if state.is_spent(call.job):
        yield state, SPENT
    elif call.made is not None:
        if older is not None and state.builds[older] == "open":
            state = state.with_build(older, "superseded")
        state = replace(state, current=_changed(state.current, call.job, call.made))
        yield state.with_build(call.made, "open"), OK


def _delete(call: Call, state: State) -> Iterator[Result]:
    if state.is_spent(call.job):
        yield state, SPENT
    else:
        yield state.with_build(call.build, "deleted"), OK


def _issue(call: Call, state: State) -> Iterator[Result]:
    stands = state.lets_in(call.job) and state.builds[call.build] == "open"
    yield state, OK if stands else WITHHELD
    yield state, UNREACHABLE  # STS was slow; nobody is issued anything


def _refresh(call: Call, state: State) -> Iterator[Result]:
    yield state, OK  # from memory: looked at once, in the step before
    yield from _issue(call, state)
    if state.builds[call.build] != "open":
        yield state, CLOSED  # after it waited for another call
    if state.revoked:
        yield state, WITHHELD  # what it waited for


def _finish(call: Call, state: State) -> Iterator[Result]:
    now = state.builds[call.build]
    if now in {"open", "finished"}:
        yield state.with_build(call.build, "finished"), OK
    else:
        yield state, CLOSED
    if now != "open" or not state.lets_in(call.job):
        yield state, WITHHELD  # the session for the look at the store


def _operate(call: Call, state: State) -> Iterator[Result]:
    if call.kind == "end":
        yield replace(state, alive=_changed(state.alive, call.job, value=False)), OK
    elif call.kind == "revoke":
        yield replace(state, revoked=True), OK
    else:
        yield replace(state, active=call.kind == "enable"), OK


SECOND = {
    "register": _register,
    "delete": _delete,
    "issue": _issue,
    "refresh": _refresh,
    "finish": _finish,
}


def _results(call: Call, step: int, state: State) -> Iterator[Result]:
    if call.kind not in SECOND:
        return _operate(call, state)
    return SECOND[call.kind](call, state) if step else _begin(call, state)


def outcomes(states: set[State], calls: list[Call], *, sts_is_last: bool) -> set[State]:
    """How things may stand after the calls, if they stood in one of these ways before; empty if no
    order explains their answers.

    With `sts_is_last`, STS answered when all calls that do not wait for it had been answered.
    """
    made = sum(call.made is not None for call in calls)
    longer = {
        replace(each, builds=(*each.builds, *["none"] * made), revoked=False) for each in states
    }
    left: set[tuple[State, tuple[int | None, ...]]] = {(each, (0,) * len(calls)) for each in longer}
    seen, found = set(left), set[State]()
    while left:
        state, steps = left.pop()
        if all(step is DONE for step in steps):
            found.add(state)
        following = set(_following(state, steps, calls, sts_is_last=sts_is_last)) - seen
        seen |= following
        left |= following
    return found


def _following(
    state: State, steps: tuple[int | None, ...], calls: list[Call], *, sts_is_last: bool
) -> Iterator[tuple[State, tuple[int | None, ...]]]:
    others_wait = any(
        step is not DONE and call.kind != "issue" for step, call in zip(steps, calls, strict=True)
    )
    for place, (step, call) in enumerate(zip(steps, calls, strict=True)):
        is_held = sts_is_last and call.kind == "issue" and step == 1 and others_wait
        if step is DONE or is_held:
            continue
        for then, answer in _results(call, step, state):
            if answer == call.answer:
                yield then, _changed(steps, place, DONE)
            elif isinstance(answer, int):
                yield then, _changed(steps, place, answer)
