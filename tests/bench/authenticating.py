"""`python -m tests.bench.authenticating`: does the time of a refusal tell whether an id exists?

Calls with an unknown id, with a known id and a wrong secret, and with another unknown id take
turns, in an order drawn anew each time; the third series shows what chance alone makes of it.

The area under the ROC curve is the share of all pairs, one call of each series, in which the second
takes longer: 0.5 where nothing can be told. Its interval is DeLong's (Biometrics 44, 1988): no
assumption about how times are distributed, but each is taken as independent of the others.
"""

import argparse
import contextlib
import gc
import random
import statistics
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

from django.utils import timezone

from builds.models import Product
from credentials.access.callers import Caller, authenticate
from credentials.access.clients import (
    command_line_user,
    make_api_key,
    start_access_token,
    start_job_token,
)
from credentials.errors import InvalidCredentials
from credentials.rules.tokens import TokenKind, new_token
from tests.bench.database import caller_of_a_product, fresh_database
from tests.bench.timing import Times, show

UNKNOWN, WRONG, UNKNOWN_TOO = "unknown id", "wrong secret", "unknown id, again"
ROWS = 50
# Of a normal distribution, what 95 of 100 lie within.
WITHIN_95 = 1.96


def keys(caller: Caller, product: Product) -> Iterable[str]:
    for _ in range(ROWS):
        yield make_api_key(client=caller.client, actor=command_line_user())[1].reveal()


def access_tokens(caller: Caller, product: Product) -> Iterable[str]:
    for _ in range(ROWS):
        yield start_access_token(caller=caller, now=timezone.now()).reveal()


def job_tokens(caller: Caller, product: Product) -> Iterable[str]:
    for _ in range(ROWS):
        _, secret = start_job_token(
            client=caller.client, api_key=caller.api_key, products=[product], now=timezone.now()
        )
        yield secret.reveal()


KINDS: dict[TokenKind, Callable[[Caller, Product], Iterable[str]]] = {
    TokenKind.API_KEY: keys,
    TokenKind.ACCESS_TOKEN: access_tokens,
    TokenKind.JOB_TOKEN: job_tokens,
}


def unknown(kind: TokenKind) -> list[str]:
    return [new_token(kind).text.reveal() for _ in range(ROWS)]


def with_a_wrong_secret(token: str, kind: TokenKind) -> str:
    """The id of one token, the secret of another."""
    return token[:18] + new_token(kind).text.reveal()[18:]


def refusal(raw_token: str) -> float:
    """Milliseconds until the token is refused."""
    now = timezone.now()
    started = time.perf_counter()
    with contextlib.suppress(InvalidCredentials):
        authenticate(raw_token=raw_token, name=None, now=now)
    return (time.perf_counter() - started) * 1000


def take_turns(tokens: dict[str, list[str]], *, count: int) -> dict[str, Times]:
    """So many times of each series."""
    times: dict[str, list[float]] = {title: [] for title in tokens}
    order = list(tokens)
    for number in range(count):
        random.shuffle(order)
        for title in order:
            times[title].append(refusal(tokens[title][number % ROWS]))
    return {title: Times(title=title, milliseconds=each) for title, each in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=[kind.value for kind in TokenKind], default="ltdk")
    parser.add_argument("--count", type=int, default=10_000, help="calls of each series")
    options = parser.parse_args()
    kind = TokenKind(options.kind)
    with fresh_database():
        known = KINDS[kind](*caller_of_a_product())
        tokens = {
            UNKNOWN: unknown(kind),
            WRONG: [with_a_wrong_secret(token, kind) for token in known],
            UNKNOWN_TOO: unknown(kind),
        }
        take_turns(tokens, count=500)
        gc.disable()
        times = take_turns(tokens, count=options.count)
    show(
        times.values(),
        f"wrong : unknown = {times[WRONG].median / times[UNKNOWN].median:.3f} (medians)",
        f"area between unknown and wrong:   {area_of(times, WRONG)}",
        f"area between unknown and unknown: {area_of(times, UNKNOWN_TOO)}",
    )


def area_of(times: dict[str, Times], title: str) -> str:
    """How well a series is told from the one of unknown ids: the area, its interval, in words."""
    first, second = times[UNKNOWN].milliseconds, times[title].milliseconds
    above = shares_below(second, sorted(first))
    below = shares_below(first, sorted(second))
    variance = statistics.variance(above) / len(second) + statistics.variance(below) / len(first)
    area, margin = statistics.fmean(above), WITHIN_95 * variance**0.5
    verdict = "not told apart" if abs(area - 0.5) <= margin else "told apart"
    return f"{area:.4f} (95 %: {area - margin:.4f} to {area + margin:.4f}), {verdict}"


def shares_below(times: Sequence[float], others: Sequence[float]) -> list[float]:
    """For each time the share of the sorted others that it is longer than; equal ones half."""
    return [
        (bisect_left(others, time) + bisect_right(others, time)) / (2 * len(others))
        for time in times
    ]


if __name__ == "__main__":
    main()
