"""`python -m tests.bench.issuing`: what issuing costs here, with an STS that answers at once."""

import argparse
from collections.abc import Callable
from unittest import mock

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from builds.models import Build, Product
from credentials.access.callers import Caller, Origin
from credentials.access.registrations import register_owned_build
from credentials.models import Delivery
from credentials.vending.issuing import VendedSession, issue_session
from tests.bench.database import caller_of_a_product, fresh_database
from tests.bench.timing import measure, show
from tests.fake_sts import FakeSts

Issue = Callable[[], VendedSession]


def registering(caller: Caller, product: Product) -> Callable[[], Build]:
    """A call that registers one more build."""
    fields = {"slug": None, "git_refs": ["main"], "github_requester": ""}
    return lambda: register_owned_build(
        caller=caller, product=product, now=timezone.now(), **fields
    )


def issuing(caller: Caller, product: Product) -> Issue:
    """A call that issues one more session for one open build."""
    build = registering(caller, product)()
    return lambda: issue_session(
        caller=caller,
        build_id=build.pk,
        delivery=Delivery.JSON,
        origin=Origin(address="192.0.2.7", agent="bench"),
        now=timezone.now(),
    )


def statements_of(issue: Callable[[], object]) -> list[str]:
    """The first word of every statement that a call takes."""
    with CaptureQueriesContext(connection) as captured:
        issue()
    return [query["sql"].split()[0] for query in captured]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="sessions to issue")
    options = parser.parse_args()
    with fresh_database(), mock.patch("credentials.vending.sts.client_for", return_value=FakeSts()):
        issue = issuing(*caller_of_a_product())
        times = measure("issue_session", issue, count=options.count)
        words = statements_of(issue)
        counts = ", ".join(f"{word} {words.count(word)}" for word in dict.fromkeys(words))
        show([times], f"{len(words)} statements a session: {counts}")


if __name__ == "__main__":
    main()
