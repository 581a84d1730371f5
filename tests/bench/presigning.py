"""`python -m tests.bench.presigning`: what presigning costs, with an STS that answers at once."""

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from unittest import mock

import orjson
from django.utils import timezone

from builds.models import Build, Product
from credentials.access.callers import Caller, Origin
from credentials.access.registrations import register_owned_build
from credentials.models import Delivery
from credentials.rules.presigned_forms import WantedFile, file_form
from credentials.vending.presigning import presign_posts, presign_puts, signer_of, terms_of
from credentials.vending.serving import session_to_sign
from ltdkeeper.api.presigned import render_posts
from tests.bench.database import caller_of_a_product, fresh_database
from tests.bench.timing import Times, measure, show
from tests.fake_sts import FakeSts

ORIGIN = Origin(address="192.0.2.7", agent="bench")


def build_of(caller: Caller, product: Product) -> Build:
    return register_owned_build(
        caller=caller,
        product=product,
        slug=None,
        git_refs=["main"],
        github_requester="",
        now=timezone.now(),
    )


def one_signature(caller: Caller, build: Build, count: int) -> list[Times]:
    """A POST and a PUT, signed with a session that is there already."""
    now = timezone.now()
    vended = session_to_sign(
        caller=caller, build=build, delivery=Delivery.POST, origin=ORIGIN, now=now
    )
    signer, terms = signer_of(vended), terms_of(vended.build)
    headers = {"Content-Length": "5"}
    return [
        measure("sign one POST", lambda: signer.sign_post(file_form(terms, "a/")), count=count),
        measure(
            "sign one PUT",
            lambda: signer.sign_url(key=f"{build.root}/a", headers=headers, now=now),
            count=count,
        ),
    ]


def processor_milliseconds(call: Callable[[], object]) -> float:
    """Of this process for one call: what the other programs of a busy machine do not add to."""
    spent = []
    for _ in range(5):
        before = time.process_time()
        call()
        spent.append((time.process_time() - before) * 1000)
    return statistics.median(spent)


def batches(
    caller: Caller, build: Build, directories: int, count: int
) -> tuple[list[Times], list[str]]:
    """A whole answer for so many directories, and one for 1,000 files; and what is to be said."""
    names = [f"section/{number}/" for number in range(directories)]
    files = [WantedFile(key=f"{number}.html", size=5) for number in range(1000)]

    def posts() -> bytes:
        made = presign_posts(
            caller=caller,
            build_id=build.pk,
            directories=names,
            origin=ORIGIN,
            now=timezone.now(),
        )
        return orjson.dumps(render_posts(made))

    def puts() -> object:
        return presign_puts(
            caller=caller, build_id=build.pk, files=files, origin=ORIGIN, now=timezone.now()
        )

    times = [
        measure(f"POSTs of {directories} directories", posts, count=count, warm_up=1),
        measure("PUTs of 1000 files", puts, count=count, warm_up=1),
    ]
    spent = [f"{processor_milliseconds(call):.0f} ms" for call in (posts, puts)]
    notes = [
        f"processor time: {', '.join(spent)}",
        f"answer with {directories} directories: {len(posts()) / 1e6:.1f} MB",
    ]
    return times, notes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="single signatures")
    parser.add_argument("--directories", type=int, default=1000)
    parser.add_argument("--batches", type=int, default=10)
    options = parser.parse_args()
    with fresh_database(), mock.patch("credentials.vending.sts.client_for", return_value=FakeSts()):
        caller, product = caller_of_a_product()
        build = build_of(caller, product)
        single = one_signature(caller, build, options.count)
        whole, notes = batches(caller, build, options.directories, options.batches)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        show([*single, *whole], *notes, f"peak memory of the process: {peak} MB")


if __name__ == "__main__":
    main()
