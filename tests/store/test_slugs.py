"""Names that clients choose, over HTTP: what is no legal slug never becomes part of a key."""

import pytest

from tests.store.answers import Answer, http_answer
from tests.store.conftest import PRODUCT
from tests.store.names import MORE_NAMES, NAMES
from tests.store.uploader import Uploader

REFUSED = Answer(400, "invalid_request")
BAD = NAMES | MORE_NAMES
# Legal, and each its own build: neither case nor a dot is folded away.
LEGAL = ["v1.0", "V1.0", "v1", "-", "_", "...", "..a", "a" * 64]


@pytest.mark.parametrize("slug", BAD.values(), ids=BAD)
def test_illegal_build_slug_is_refused(slug: str, uploader: Uploader) -> None:
    body = {"git_refs": ["main"], "slug": slug}
    answer = uploader.call("POST", f"/products/{PRODUCT}/builds/", body)
    assert http_answer(answer) == REFUSED


@pytest.mark.parametrize("slug", BAD.values(), ids=BAD)
def test_illegal_product_slug_is_refused(slug: str, uploader: Uploader) -> None:
    body = {"slug": slug, "store": "tested"}
    assert http_answer(uploader.call("POST", "/products/", body)) == REFUSED


@pytest.mark.parametrize("slug", LEGAL)
def test_legal_slug_is_the_end_of_the_root(slug: str, uploader: Uploader) -> None:
    assert uploader.register(PRODUCT, slug).root == f"{PRODUCT}/builds/{slug}"


def test_slug_is_given_out_once(uploader: Uploader) -> None:
    build = uploader.register(PRODUCT, "only-once")
    uploader.call("DELETE", build.url)
    body = {"git_refs": ["main"], "slug": "only-once"}
    answer = uploader.call("POST", f"/products/{PRODUCT}/builds/", body)
    assert http_answer(answer) == Answer(409, "slug_taken")
