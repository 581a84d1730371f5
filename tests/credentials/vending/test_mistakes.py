"""Mistakes in one row or one argument stay what they are: a sentence, and nothing handed out."""

from collections.abc import Callable

import pytest

from builds.models import Build, Store
from credentials.access.callers import Caller
from credentials.errors import CanaryHasKeys, ScopeChanged
from credentials.operations.isolation.checking import probe_builds
from credentials.vending.scope import scope_of
from credentials.vending.sts import warm_up

pytestmark = pytest.mark.django_db


def test_store_with_a_wrong_endpoint_does_not_keep_the_service_from_starting(store: Store) -> None:
    Store.objects.update(endpoint_url="https://s3 .example.org")
    warm_up()


EDITS: dict[str, Callable[[], object]] = {
    "role": lambda: Store.objects.update(role_arn="arn:aws:iam::*:role/upload"),
    "bucket": lambda: Store.objects.update(bucket="elsewhere"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_row_that_was_edited_into_nonsense_changes_the_scope(edit: str, build: Build) -> None:
    EDITS[edit]()
    with pytest.raises(ScopeChanged):
        scope_of(Build.objects.with_store().get(pk=build.pk))


def test_client_of_the_checks_must_have_no_key(
    make_caller: Callable[..., Caller], store: Store
) -> None:
    make_caller("isolation-check")
    with pytest.raises(CanaryHasKeys), probe_builds(store):
        pass
    assert not Build.objects.exists()
