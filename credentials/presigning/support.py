"""Who signs a store's POSTs: a session of the build, or an identity of the store's, or nobody."""

from builds.models import Store
from credentials.presigning.errors import PostNotSupported, PostSupportUnknown
from credentials.presigning.identities import SigningIdentity, post_signer


def identity_for_posts(store: Store) -> SigningIdentity | None:
    """None where a session signs. Raises PostNotSupported, PostSignerUnusable.

    AWS takes what a session signed. Any other store has to have shown it: there are some that
    answer 204 and store nothing, so that an upload would seem to have gone well.
    """
    if store.post_support == Store.PostSupport.WORKS:
        return None
    if store.post_support == Store.PostSupport.UNKNOWN:
        if store.endpoint_url:
            raise PostSupportUnknown
        return None
    if not store.post_signer_profile:
        raise PostNotSupported
    return post_signer(store)
