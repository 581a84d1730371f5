"""Job tokens: how long they live, what they open, what ends them."""

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from builds.models import Product
from credentials.access.callers import Caller, authenticate
from credentials.access.clients import revoke_job_token, start_access_token, start_job_token
from credentials.errors import InvalidCredentials, LifeOutOfRange
from credentials.models import AccessToken, ApiKey, Client, JobProduct, JobToken
from credentials.rules.secret import Secret
from tests.credentials.access.conftest import MakeJob
from tests.undone import undone

SIX_HOURS = 6 * 3600


def start(caller: Caller, now: datetime, **changes: object) -> tuple[JobToken, Secret]:
    arguments = {"client": caller.client, "api_key": caller.api_key, "products": [], "now": now}
    return start_job_token(**(arguments | changes))


def test_job_token_lives_as_long_as_asked(caller: Caller, now: datetime) -> None:
    for seconds in (None, 300, 12 * 3600):
        row, _ = start(caller, now, life_seconds=seconds)
        assert row.expires_at - now == timedelta(seconds=seconds or SIX_HOURS), seconds


def test_other_lives_are_refused(caller: Caller, now: datetime) -> None:
    for seconds in (0, 299, 12 * 3600 + 1):
        with pytest.raises(LifeOutOfRange):
            start(caller, now, life_seconds=seconds)
        assert not JobToken.objects.exists(), seconds


def test_default_life_is_the_setting(caller: Caller, now: datetime, settings: object) -> None:
    settings.LTD_JOB_TOKEN_SECONDS = 600
    assert start(caller, now)[0].expires_at - now == timedelta(seconds=600)


# minutes until the key's end, and until that of the access token; what the job token lives
SOURCES = {
    "key that ends sooner": (7, None, 7),
    "key that ends later": (600, None, 360),
    "access token that ends sooner": (8, 7, 7),
    "access token that ends later": (8, 9, 8),
}


@pytest.mark.parametrize("case", SOURCES)
def test_it_never_outlives_what_it_comes_from(case: str, caller: Caller, now: datetime) -> None:
    ends, session_ends, expected = SOURCES[case]
    key = caller.api_key
    assert key
    key.expires_at = now + timedelta(minutes=ends)
    session = None
    if session_ends:
        start_access_token(caller=caller, now=now)
        session = AccessToken.objects.get()
        session.expires_at = now + timedelta(minutes=session_ends)
    row, _ = start(caller, now, requested_with=session)
    assert row.expires_at == now + timedelta(minutes=expected)


def test_nothing_is_made_of_what_has_ended(caller: Caller, now: datetime) -> None:
    start_access_token(caller=caller, now=now)
    session = AccessToken.objects.get()
    AccessToken.objects.all().delete()
    with pytest.raises(InvalidCredentials):
        start(caller, now, requested_with=session)
    with pytest.raises(InvalidCredentials):
        start(caller, session.expires_at, requested_with=session)
    assert not JobToken.objects.exists()


def test_only_the_digest_is_kept(caller: Caller, now: datetime) -> None:
    _, secret = start(caller, now)
    assert secret.reveal().rpartition("_")[2] not in str(JobToken.objects.values().get())


def test_token_stands_for_its_client_and_its_key(job: Caller, caller: Caller) -> None:
    assert (job.client, job.api_key) == (caller.client, caller.api_key)
    assert job.token_name == f"{caller.token_name}/{job.job_token.token_name}"


def test_it_opens_the_products_asked_for(make_job: MakeJob, product: Product) -> None:
    token = make_job(product).job_token
    assert list(JobProduct.objects.values_list("job_token", "product")) == [(token.pk, product.pk)]


def test_caller_expires_with_whichever_ends_first(make_job: MakeJob, now: datetime) -> None:
    assert make_job(life_seconds=900).expires_at == now + timedelta(seconds=900)
    ApiKey.objects.update(expires_at=now + timedelta(seconds=400))
    raw = make_job(life_seconds=900)
    assert raw.expires_at == now + timedelta(seconds=400)


ENDS = {
    "the token ended": lambda job, now: revoke_job_token(job_token=job.job_token, now=now),
    "the token expired": lambda _job, now: JobToken.objects.update(
        created_at=now - timedelta(hours=2), expires_at=now
    ),
    "the key revoked": lambda _job, now: ApiKey.objects.update(revoked_at=now),
    "the key expired": lambda _job, now: ApiKey.objects.update(expires_at=now),
    "the client disabled": lambda _job, _now: Client.objects.update(is_active=False),
}


def test_token_dies_with_what_it_rests_on(caller: Caller, now: datetime) -> None:
    _, secret = start(caller, now)
    for case, end in ENDS.items():
        job = authenticate(raw_token=secret.reveal(), name=None, now=now)
        assert job.client == caller.client, case
        with undone():
            end(job, now)
            with pytest.raises(InvalidCredentials):
                authenticate(raw_token=secret.reveal(), name=None, now=now)


def test_ending_again_changes_nothing(job: Caller, now: datetime) -> None:
    revoke_job_token(job_token=job.job_token, now=now)
    revoke_job_token(job_token=job.job_token, now=now + timedelta(hours=1))
    assert JobToken.objects.get().ended_at == now


def test_token_without_an_origin_is_refused_by_the_database(caller: Caller, now: datetime) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        start(caller, now, api_key=None)


def test_job_makes_no_products(job: Caller, caller: Caller) -> None:
    Client.objects.update(may_create_products=True)
    for shown in (job, caller):
        shown.client.refresh_from_db()
    assert (caller.may_create_products, job.may_create_products) == (True, False)
