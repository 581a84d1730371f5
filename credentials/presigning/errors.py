"""Why nothing was presigned."""

from ltdkeeper.errors import DomainError


class BadDirectory(DomainError):
    status = 400
    code = "bad_directory"


class BadFile(DomainError):
    status = 400
    code = "bad_file"


class PostNotSupported(DomainError):
    status = 422
    code = "post_not_supported"
    message = (
        "The store does not take presigned POSTs. Use the build's credentials_url, or "
        "POST /builds/<id>/presigned-urls."
    )


class PostSupportUnknown(PostNotSupported):
    message = (
        "Nothing has shown yet that the store takes presigned POSTs. Its operators run "
        "`manage.py check_isolation`; until then use the build's credentials_url, or "
        "POST /builds/<id>/presigned-urls."
    )


class PostSignerUnusable(DomainError):
    status = 503
    code = "post_signer_unusable"
    message = (
        "The identity that signs POSTs for this store cannot be used. Its operators must look."
    )
    retry_after = 60
