"""Which environment variables a step gets, and which are taken away first. Pure.

The order in which SDKs look for credentials: static keys in the environment, web identity, the
shared credentials file, a profile's process, container addresses, instance metadata. Read in
botocore 1.44.5 (`credentials.py`, `create_credential_resolver`); the other SDKs differ in detail.
"""

from collections.abc import Mapping

from credentials.handout.facts import Step, StepDelivery
from credentials.handout.files import PROFILE

NOTHING = "/dev/null"

# What would win over the profile or the address that is set afterwards.
TAKEN_AWAY = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCESS_KEY",  # Go and Java take these two as well
    "AWS_SECRET_KEY",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_DEFAULT_PROFILE",
    "LTD_AWS_ID",  # static keys of LTD's uploaders
    "LTD_AWS_SECRET",
    "LTD_MASON_AWS_ID",
    "LTD_MASON_AWS_SECRET",
    "LTD_MASON_AWS_PROFILE",
)

# Of those, what botocore heeds even when it is empty, once container addresses are used. Where
# variables can only be emptied, their being set is an error.
HEEDED_WHEN_EMPTY = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)

# botocore reads this before AWS_PROFILE, even when it is empty: while it is set, AWS_PROFILE has no
# effect (`configprovider.py`, BOTOCORE_DEFAUT_SESSION_VARIABLES).
MASKS_PROFILE = "AWS_DEFAULT_PROFILE"

# Set to what turns them off, since an empty profile or file name is an error to botocore. The
# profile does not exist until the folder does: whatever fails in between leaves no other way in.
TURNED_OFF = {
    "AWS_PROFILE": PROFILE,
    "AWS_CONFIG_FILE": NOTHING,
    "AWS_SHARED_CREDENTIALS_FILE": NOTHING,
    "AWS_CREDENTIAL_FILE": NOTHING,
    "BOTO_CONFIG": NOTHING,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
    "AWS_SDK_LOAD_CONFIG": "1",  # else Go's old SDK does not read the config file
}


def values(step: Step) -> Mapping[str, str]:
    """The variables that do not depend on the folder."""
    return {
        **TURNED_OFF,
        "LTD_HOST": step.host,
        "LTD_USERNAME": step.client_name,
        "LTD_PASSWORD": step.token.reveal(),
        "LTD_PRODUCT": step.product_slugs[0],
        "LTD_KEEPER_URL": step.host,  # ltd-mason's names
        "LTD_KEEPER_USER": step.client_name,
        "LTD_KEEPER_PASSWORD": step.token.reveal(),
        "AWS_REGION": step.store.region,
        "AWS_DEFAULT_REGION": step.store.region,
        **_endpoint(step),
        **_container(step),
    }


def _endpoint(step: Step) -> Mapping[str, str]:
    """None on AWS: the region says it. Some programs know one of the names only."""
    address = step.store.endpoint_url
    return {"AWS_ENDPOINT_URL": address, "AWS_ENDPOINT_URL_S3": address} if address else {}


def _container(step: Step) -> Mapping[str, str]:
    if step.delivery is not StepDelivery.CONTAINER:
        return {}
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": step.credentials_url(step.product_slugs[0]),
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": step.authorization,
    }
