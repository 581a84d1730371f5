"""The checks of the vendor: who it is, what its clock says, and what its policies allow."""

from collections.abc import Iterator
from dataclasses import replace

from credentials.doctor.attempts import WHY
from credentials.doctor.clocks import judge_clock
from credentials.doctor.findings import Finding, Severity
from credentials.doctor.identity_policies import policies_of, policies_of_user
from credentials.doctor.obstacles import NotLookedAt, NotPermitted, Obstacle
from credentials.doctor.principals import account_of, kind_of, name_of
from credentials.doctor.scene import Scene
from credentials.doctor.vendor_policies import CHECK, judge_vendor_policies


def clock(scene: Scene) -> Iterator[Finding]:
    """Every answer carries the store's time, a refusal too."""
    try:
        scene.caller()
    except Obstacle:
        if scene.vendor.ahead_seconds is None:
            raise
    if scene.vendor.ahead_seconds is None:
        raise NotLookedAt("the store does not tell its time")
    yield from judge_clock(scene.vendor.ahead_seconds)


def vendor(scene: Scene) -> Iterator[Finding]:
    """The service has credentials of its own, and they are not an account's root."""
    caller = scene.caller()
    if kind_of(caller) == "root":
        yield Finding(
            id="vendor.root",
            what=f"The service runs as the root of account {account_of(caller)}.",
            why=f"Nothing limits it. {WHY}",
            change="Make a user or role for the service, and give it that one's key:\n"
            f"manage.py bootstrap_store --store {scene.store.name} --apply",
        )


def vendor_policies(scene: Scene) -> Iterator[Finding]:
    """Read as well, since not everything can be tried. Less than an error where it cannot be."""
    expected = scene.expected
    if not expected.vendor_arn:
        raise NotLookedAt("the vendor's name is not known")
    if account_of(expected.vendor_arn) != expected.account:
        raise NotLookedAt("the vendor is in another account than the role")
    name = name_of(expected.vendor_arn)
    try:
        if kind_of(expected.vendor_arn) == "user":
            documents = policies_of_user(scene.auditor, name=name)
        else:
            documents = policies_of(scene.auditor, kind="role", name=name)
    except NotPermitted as err:
        yield replace(err.finding(CHECK), severity=Severity.WARNING)
        return
    yield from judge_vendor_policies(documents, expected)
