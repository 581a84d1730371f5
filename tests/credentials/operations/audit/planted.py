"""A bucket in good order, and faults to plant in it, each with the rule that finds it.

What stands in the way of a rule just so far that nothing is found lies among what is in order.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from builds.models import Build, Product
from credentials.models import BuildOwner, Client, LedgerExport
from credentials.operations.findings import Rule
from tests.credentials.ledger_rows import NOW, issued_row
from tests.credentials.operations.audit.fake_bucket import FakeBucket

SECOND, MINUTE, HOUR, DAY = (
    timedelta(**{name: 1}) for name in ("seconds", "minutes", "hours", "days")
)
MARGIN = 5 * MINUTE
# When a build of an hour ago was uploaded: its session lived until then.
UPLOADED, SESSION_END, CLOSED = NOW - 3 * HOUR, NOW - 2 * HOUR, NOW - HOUR


@dataclass
class World:
    """A store's bucket, and the builds of one product."""

    product: Product
    client: Client
    bucket: FakeBucket = field(default_factory=FakeBucket)

    def build(
        self,
        slug: str,
        *,
        owned: bool = True,
        sessions: int = 1,
        at: datetime = UPLOADED,
        **changes: Any,
    ) -> Build:
        """A build of yesterday with one object, written at a time; by default it is finished."""
        root = f"guide/builds/{slug}"
        times = {"registered_at": NOW - DAY, "open_until": NOW - HOUR, "finished_at": CLOSED}
        fields = {"slug": slug, "server_made": False, "bucket_name": "docs-bucket", "root": root}
        build = Build.objects.create(product=self.product, **(fields | times | changes))
        if owned:
            BuildOwner.objects.create(build=build, client=self.client)
        for _ in range(sessions):
            issued_row(build=build, root=root, requested_at=NOW - DAY, expires_at=SESSION_END)
        self.put(f"{root}/index.html", at)
        return build

    def put(self, key: str, at: datetime = UPLOADED) -> str:
        self.bucket.objects[key] = at
        return key


def orderly(world: World) -> None:
    """Nothing of this is a finding."""
    LedgerExport.objects.create(until=NOW - 40 * DAY, begun_at=NOW)
    for slug in ("a", "a-b", "a.b", "a0", "ab"):
        world.put(world.build(slug).root)  # what old uploaders put at the root itself
    world.build("margin-of-sessions", at=SESSION_END + MARGIN)
    world.build("margin-of-close", at=CLOSED + MARGIN, finished_at=CLOSED).issued_sessions.update(
        expires_at=NOW
    )
    world.build("open", finished_at=None, open_until=NOW + HOUR)
    world.build("just-deleted", deleted_at=NOW - 45 * DAY, at=NOW - 50 * DAY)
    world.build("imported", owned=False, sessions=0, finished_at=NOW - DAY)
    world.build("shared", root_is_shared=True, deleted_at=NOW - 99 * DAY, at=NOW)
    world.build("pruned", sessions=0, registered_at=NOW - 60 * DAY, finished_at=None)
    world.build("purged-meanwhile", deleted_at=CLOSED, purged_at=NOW + SECOND)
    for key in ("guide/v/main/index.html", "guide/builds/index.html"):
        world.put(key, NOW)
    world.bucket.uploads["guide/builds/a/large.bin"] = NOW - DAY


def _late(world: World, how: str) -> str:
    """Written after the build closed, while its session lived."""
    closed = {"finished_at": None} | {f"{how}_at": CLOSED}
    build = world.build(f"after-{how}", at=CLOSED + MARGIN + SECOND, **closed)
    build.issued_sessions.update(expires_at=NOW + HOUR)
    return build.root


def _unknown(world: World) -> str:
    """With an object at its root, and a build between that and its other objects."""
    world.build("nobody-else")
    world.put("guide/builds/nobody/page")
    return world.put("guide/builds/nobody")


def _foreign(world: World) -> str:
    build = world.build("foreign", sessions=0)
    issued_row(build=build, delivery="list")
    return build.root


def _upload(world: World) -> str:
    root = world.build("stalled").root
    world.bucket.uploads[f"{root}/large\x01 file.bin"] = NOW - DAY - SECOND
    return root


# A fault -> its rule, and what plants it and gives the finding's subject.
PLANTED: dict[str, tuple[Rule, Callable[[World], str]]] = {
    "beside the products": (Rule.OBJECT_OUTSIDE, lambda w: w.put("robots.txt") and "/"),
    "in a folder of nobody": (Rule.OBJECT_OUTSIDE, lambda w: w.put("secret/top.txt") and "secret/"),
    "beside the builds": (
        Rule.OBJECT_OUTSIDE,
        lambda w: w.put("guide/drafts/x/y") and "guide/drafts/",
    ),
    "below a slug that is none": (
        Rule.OBJECT_OUTSIDE,
        lambda w: w.put("guide/builds/a b/page") and "guide/builds/",
    ),
    "in an allowed prefix of another form": (
        Rule.OBJECT_OUTSIDE,
        lambda w: w.put("v/main/index.html") and "v/main/",
    ),
    "unknown build": (
        Rule.OBJECT_OF_UNKNOWN_BUILD,
        _unknown,
    ),
    "unknown build, at its root": (
        Rule.OBJECT_OF_UNKNOWN_BUILD,
        lambda w: w.put("guide/builds/index.htm"),
    ),
    "build of an unknown product": (
        Rule.OBJECT_OF_UNKNOWN_BUILD,
        lambda w: w.put("ghost/builds/a/page").rpartition("/")[0],
    ),
    "build of another bucket": (
        Rule.OBJECT_OF_UNKNOWN_BUILD,
        lambda w: w.build("elsewhere", bucket_name="another-bucket").root,
    ),
    "deleted long ago": (
        Rule.OBJECT_OF_DELETED_BUILD,
        lambda w: w.build("old", deleted_at=NOW - 45 * DAY - SECOND).root,
    ),
    "purged": (
        Rule.OBJECT_OF_PURGED_BUILD,
        lambda w: w.build("purged", deleted_at=CLOSED, purged_at=NOW).root,
    ),
    "no session at all": (
        Rule.OBJECT_WITHOUT_SESSION,
        _foreign,
    ),
    "after the last session": (
        Rule.OBJECT_AFTER_SESSIONS,
        lambda w: w.build("late", at=SESSION_END + MARGIN + SECOND).root,
    ),
    "long after sessions that were pruned": (
        Rule.OBJECT_AFTER_SESSIONS,
        lambda w: (
            w.build(
                "pruned-late",
                sessions=0,
                registered_at=NOW - 60 * DAY,
                open_until=NOW - 12 * HOUR - MARGIN - SECOND,
                finished_at=None,
                at=NOW,
            ).root
        ),
    ),
    "after the finish": (Rule.OBJECT_AFTER_CLOSE, lambda w: _late(w, "finished")),
    "after the supersession": (Rule.OBJECT_AFTER_CLOSE, lambda w: _late(w, "superseded")),
    "after the deletion": (Rule.OBJECT_AFTER_CLOSE, lambda w: _late(w, "deleted")),
    "upload of two days": (Rule.UPLOAD_UNFINISHED, _upload),
}
