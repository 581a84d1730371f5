"""`python -m tests.bench.registering`: does registering cost more in a product full of builds?"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from builds.models import Build, Product
from builds.names import build_root, new_build_slug
from credentials.access.registrations import register_owned_build
from tests.bench.database import caller_of_a_product, fresh_database, switch_to
from tests.bench.timing import Times, measure, show

BATCH = 5000


def old_builds(product: Product, count: int) -> Iterator[Build]:
    now = timezone.now()
    for slug in (new_build_slug(now) for _ in range(count)):
        yield Build(
            product=product,
            slug=slug,
            server_made=True,
            bucket_name=product.store.bucket,
            root=build_root(product.slug, slug),
            git_refs=["main"],
            surrogate_key="a" * 32,
            registered_at=now,
            open_until=now + timedelta(hours=12),
        )


@dataclass(kw_only=True)
class Side:
    """One of the two products that are compared, each in a database of its own."""

    database: str
    register: Callable[[], object]
    milliseconds: list[float] = field(default_factory=list)


def side(database: str, builds: int) -> Side:
    caller, product = caller_of_a_product()
    Build.objects.bulk_create(old_builds(product, builds), batch_size=BATCH)

    def register() -> None:
        register_owned_build(
            caller=caller,
            product=product,
            slug=None,
            git_refs=["main"],
            github_requester="",
            now=timezone.now(),
        )

    return Side(database=database, register=register)


def alternate(sides: Iterable[Side], *, blocks: int, count: int) -> None:
    """Blocks of both in turn, so that whatever else the machine does falls on both alike."""
    for _ in range(blocks):
        for each in sides:
            switch_to(each.database)
            block = measure("", each.register, count=count)
            each.milliseconds += block.milliseconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--builds", type=int, default=100_000)
    parser.add_argument("--blocks", type=int, default=30)
    parser.add_argument("--count", type=int, default=50, help="registrations in a block")
    options = parser.parse_args()
    with fresh_database("empty") as first:
        empty = side(first, 0)
        with fresh_database("full") as second:
            full = side(second, options.builds)
            alternate([empty, full], blocks=options.blocks, count=options.count)
    none = Times(title="register, empty product", milliseconds=empty.milliseconds)
    many = Times(title=f"register, {options.builds} builds", milliseconds=full.milliseconds)
    ratios = f"{many.median / none.median:.2f} (medians), {many.quick / none.quick:.2f} (10 %)"
    show([none, many], f"full : empty = {ratios}")


if __name__ == "__main__":
    main()
