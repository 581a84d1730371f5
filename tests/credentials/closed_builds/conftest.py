"""Builds in each state, and a store in which they have objects."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from builds.models import Build
from tests.credentials.closed_builds.fake_store import FakeStore
from tests.fake_sts import FakeSts

MakeBuild = Callable[..., Build]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, sts: FakeSts) -> FakeStore:
    store = FakeStore()
    for name in ("counting", "purging"):
        monkeypatch.setattr(f"credentials.closed_builds.{name}.patient_s3_client", store.client_of)
    return store


@pytest.fixture
def make_build(register: Callable[..., Build], bucket: FakeStore) -> MakeBuild:
    """A build, by default finished, with objects of the sizes."""

    def make(*sizes: int, state: str = "finished") -> Build:
        build = register()
        now = timezone.now()
        moments = {
            "open": {},
            "finished": {"finished_at": now},
            "superseded": {"superseded_at": now},
            "deleted": {"deleted_at": now},
            "finished and deleted": {"finished_at": now, "deleted_at": now},
            "expired": {"registered_at": now - timedelta(hours=2), "open_until": now},
        }
        Build.objects.filter(pk=build.pk).update(**moments[state])
        bucket.objects |= {f"{build.root}/{number}": size for number, size in enumerate(sizes)}
        build.refresh_from_db()
        return build

    return make
