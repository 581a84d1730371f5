"""What a session for a build may be today: its scope, its policy, its duration.

Rebuilt from the database immediately before every AssumeRole, and compared with what the build
recorded when it was registered.
"""

import structlog
from django.conf import settings

from builds.models import Build
from builds.names import build_root
from credentials.errors import ScopeChanged
from credentials.models import INTERNAL, Delivery
from credentials.rules.durations import DurationLimits
from credentials.rules.policy import (
    Scope,
    cleaning_policy,
    listing_policy,
    presigning_policy,
    session_policy,
)

# What this service asks for again. Of uploads nothing leaves it: one session serves many files.
REFRESHING = {Delivery.CONTAINER, Delivery.PROCESS, Delivery.UPLOAD}
INTERNAL_SECONDS = 900
PRESIGNING = {
    Delivery.POST: "LTD_POST_LIFETIME",
    Delivery.URL: "LTD_URL_LIFETIME",
}
MAKE_POLICY = {
    Delivery.LIST: listing_policy,
    Delivery.CLEAN: cleaning_policy,
    Delivery.VERIFY: listing_policy,
    **dict.fromkeys((*PRESIGNING, Delivery.UPLOAD), presigning_policy),
}

log = structlog.get_logger(__name__)


def duration_limits(build: Build) -> DurationLimits:
    return DurationLimits(
        product_seconds=build.product.session_seconds,
        default_seconds=settings.LTD_SESSION_SECONDS,
        role_max_seconds=build.product.store.role_max_seconds,
    )


def duration_for(build: Build, delivery: Delivery, asked_seconds: int | None) -> int:
    """How many seconds to ask of STS. Raises DurationOutOfRange."""
    limits = duration_limits(build)
    if delivery in INTERNAL:
        return INTERNAL_SECONDS
    if delivery in REFRESHING:
        return limits.refreshing
    if delivery in PRESIGNING:
        return limits.presigned(getattr(settings, PRESIGNING[delivery]))
    return limits.choose(asked_seconds)


def policy_for(build: Build, delivery: Delivery) -> str:
    """The session policy, made anew. Raises PolicyTooLarge, ScopeChanged."""
    return MAKE_POLICY.get(delivery, session_policy)(scope_of(build))


def scope_of(build: Build) -> Scope:
    """What a session of the build may reach. Raises ScopeChanged.

    A row that was edited after registration is not trusted: bucket and root must still be what
    product and store give.
    """
    product, store = build.product, build.product.store
    try:
        scope = Scope(
            partition=store.partition,
            bucket=store.bucket,
            root=build_root(product.slug, build.slug),
            may_list_bare_root=build.server_made,
            may_sync=store.with_sync and product.access == product.Access.SYNC,
            may_look=store.with_sync,
            kms_key_arn=store.kms_key_arn,
        )
    except ValueError as err:
        log.error("scope_unsafe", build=build.pk, error=str(err))
        raise ScopeChanged from err
    if (scope.bucket, scope.root) != (build.bucket_name, build.root):
        log.error("scope_changed", build=build.pk, recorded=build.root, store=store.name)
        raise ScopeChanged
    return scope
