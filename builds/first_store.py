"""The first store, described by the environment, so that a fresh deployment can start with one."""

from django.conf import settings
from django.db import transaction

from builds.models import Store


def ensure_first_store() -> tuple[Store | None, bool]:
    """The store that `LTD_STORE_*` names, and whether it was made now.

    An existing row is left as it is: from then on the admin owns it. None when the settings
    name no bucket. Raises ValidationError when they do not describe a store.
    """
    if not settings.LTD_STORE_BUCKET:
        return None, False
    store = Store(
        name=settings.LTD_STORE_NAME,
        bucket=settings.LTD_STORE_BUCKET,
        region=settings.LTD_STORE_REGION,
        endpoint_url=settings.LTD_STORE_ENDPOINT_URL,
        public_endpoint_url=settings.LTD_STORE_PUBLIC_ENDPOINT_URL,
        role_arn=settings.LTD_STORE_ROLE_ARN,
        role_max_seconds=settings.LTD_STORE_ROLE_MAX_SECONDS,
        external_id=settings.LTD_STORE_EXTERNAL_ID,
        kms_key_arn=settings.LTD_STORE_KMS_KEY_ARN,
        addressing=settings.LTD_STORE_ADDRESSING,
        with_sync=settings.LTD_STORE_WITH_SYNC,
    )
    with transaction.atomic():
        if found := Store.objects.filter(name=store.name).first():
            return found, False
        store.full_clean()
        store.save()
    return store, True
