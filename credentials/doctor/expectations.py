"""What a store's account should hold, read from the database and the settings."""

from django.conf import settings

from builds.models import Store
from builds.names import is_role_arn
from credentials.doctor.expected import Expected


def expected_of(store: Store) -> Expected:
    """All but the vendor's name, which only the store can tell."""
    products = list(store.products.order_by("slug"))
    return Expected(
        bucket=store.bucket,
        region=store.region,
        role_arn=store.role_arn,
        endpoint_url=store.endpoint_url,
        public_endpoint_url=store.public_endpoint_url,
        role_max_seconds=store.role_max_seconds,
        external_id=store.external_id,
        kms_key_arn=store.kms_key_arn,
        takes_acls=store.acl_mode != Store.ACLMode.NONE,
        upload_roles=_upload_roles(),
        default_seconds=settings.LTD_SESSION_SECONDS,
        post_seconds=settings.LTD_POST_LIFETIME if _signs_posts(store) else None,
        product_seconds={p.slug: p.session_seconds for p in products if p.session_seconds},
        product_slugs=tuple(product.slug for product in products),
        with_sync=store.with_sync,
    )


def _signs_posts(store: Store) -> bool:
    """Whether this service presigns POSTs for the store, as `identity_for_posts` decides it."""
    if store.post_support == Store.PostSupport.UNKNOWN:
        return not store.endpoint_url
    return store.post_support == Store.PostSupport.WORKS or bool(store.post_signer_profile)


def _upload_roles() -> tuple[str, ...]:
    """Those of all stores, but for what is no role: nothing can be said of that."""
    arns = Store.objects.order_by("role_arn").values_list("role_arn", flat=True)
    return tuple(arn for arn in arns if is_role_arn(arn))
