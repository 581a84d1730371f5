"""Why a CI step was handed nothing."""

from ltdkeeper.errors import DomainError


class NoProductNamed(DomainError):
    status = 400
    code = "no_product_named"
    message = "A job token is for products. Name them: ?format=env&product=SLUG"


class SeveralStores(DomainError):
    status = 400
    code = "several_stores"
    message = (
        "The products lie in different stores, and a step's environment holds one region and "
        "endpoint. Ask for the lines of each on its own, with the job token as the password."
    )
