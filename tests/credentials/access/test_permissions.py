"""The door of the API: a caller passes; reading is free only where the operator chose it."""

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from credentials.access.callers import Caller
from credentials.models import ApiKey, Client
from ltdkeeper.api.authentication import IsCaller, IsCallerOrPublicRead, caller_of, reader_of

CALLER = Caller(client=Client(name="ci"), api_key=ApiKey())
READING = ["GET", "HEAD", "OPTIONS"]
WRITING = ["POST", "PATCH", "PUT", "DELETE"]


def request_of(auth: object, method: str = "GET") -> Request:
    request = Request(APIRequestFactory().generic(method, "/"))
    request.auth = auth
    return request


def test_caller_passes() -> None:
    request = request_of(CALLER)
    assert IsCaller().has_permission(request, None)
    assert caller_of(request) is CALLER


def test_only_a_caller_passes() -> None:
    for other in (None, "ci", CALLER.client, CALLER.api_key):
        request = request_of(other)
        assert not IsCaller().has_permission(request, None)
        with pytest.raises(TypeError, match="no caller"):
            caller_of(request)


def test_user_of_the_admin_does_not_pass() -> None:
    request = request_of(None)
    request.user = User(username="operator", is_superuser=True)
    assert not IsCaller().has_permission(request, None)


def test_grants_limit_a_reader_unless_reads_are_public(settings: Settings) -> None:
    settings.LTD_PUBLIC_READS = False
    assert reader_of(request_of(CALLER)) is CALLER
    with pytest.raises(TypeError, match="no caller"):
        reader_of(request_of(None))
    settings.LTD_PUBLIC_READS = True
    assert reader_of(request_of(CALLER)) is reader_of(request_of(None)) is None


@pytest.mark.parametrize(("public", "opened"), [(False, []), (True, READING)])
def test_nobody_passes_unless_reads_are_public(
    *, public: bool, opened: list[str], settings: Settings
) -> None:
    settings.LTD_PUBLIC_READS = public
    door = IsCallerOrPublicRead()
    methods = READING + WRITING
    assert [m for m in methods if door.has_permission(request_of(CALLER, m), None)] == methods
    assert [m for m in methods if door.has_permission(request_of(None, m), None)] == opened
