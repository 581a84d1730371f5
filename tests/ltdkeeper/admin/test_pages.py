"""Pages laid out by question: who, what it may, its life; and links both ways."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model
from django.test import Client as Browser
from django.utils import timezone

from builds.models import Build, Product, Store
from credentials.access.callers import Caller, Origin
from credentials.access.clients import command_line_user, make_api_key, start_job_token
from credentials.access.registrations import register_owned_build
from credentials.models import (
    ApiKey,
    CiJob,
    Client,
    Delivery,
    IssuedSession,
    JobRun,
    JobToken,
    TrustedPublisher,
    Webhook,
)
from credentials.operations.retention import compact_policies
from credentials.rules.policy import Scope, session_policy
from credentials.vending.issuing import issue_session
from ltdkeeper.admin.builds import events as build_events
from ltdkeeper.admin.ledger import events
from ltdkeeper.admin.links import moment, page_address
from tests.conftest import undone
from tests.credentials.ledger_rows import NOW, failed_row, issued_row, requested_row
from tests.fake_sts import FakeSts

db = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RUN = "https://github.com/octo-org/octo-repo/actions/runs/22259804324"

SCOPE = Scope(
    partition="aws", bucket="docs-bucket", root="guide/builds/v1", may_list_bare_root=False
)


def what(row: IssuedSession, now: datetime = NOW) -> list[str]:
    return [words.split(":")[0] for _, words in events(row, now)]


@db
def test_events_of_a_session_are_in_order() -> None:
    later = NOW + timedelta(hours=1)
    served = issued_row(last_served_at=NOW - timedelta(seconds=30))
    assert what(served) == [
        "requested",
        "issued",
        "last served again to the same caller",
        "expires",
    ]
    assert what(served, later)[-1] == "expired"
    assert what(requested_row()) == ["requested"]
    assert what(failed_row()) == ["requested", "failed"]


@pytest.fixture
def job(client_row: Client, build: Build, rule: TrustedPublisher, now: datetime) -> JobToken:
    """Of a trusted publisher, for the product of the build."""
    identity = "octo-org/octo-repo push refs/heads/main 22259804324 2"
    row, _ = start_job_token(
        client=client_row, products=[build.product], now=now, publisher=rule, identity=identity
    )
    CiJob.objects.create(
        job_token=row, repository="octo-org/octo-repo", run_id="22259804324", commit="c040cae0"
    )
    return row


@pytest.fixture
def session(job: JobToken, sts: FakeSts, now: datetime) -> IssuedSession:
    """What the job was issued for the build that it registered."""
    caller = Caller(client=job.client, job_token=job)
    product = job.products.get()
    build = register_owned_build(
        caller=caller, product=product, slug=None, git_refs=["main"], github_requester="", now=now
    )
    origin = Origin(address="192.0.2.7", agent="uploader/1.0")
    issued = issue_session(
        caller=caller, build_id=build.pk, delivery=Delivery.JSON, origin=origin, now=now
    )
    return issued.row


def page(browser: Browser, row: Model) -> str:
    return page_at(browser, page_address(row))


def page_at(browser: Browser, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def rows_of(session: IssuedSession) -> dict[str, Model]:
    build, token = session.existing_build, JobToken.objects.get()
    assert token.publisher is not None
    return {
        "session": session,
        "build": build,
        "client": token.client,
        "job token": token,
        "publisher": token.publisher,
        "product": build.product,
        "store": build.product.store,
    }


# The page of each, and where it links to.
LINKS = {
    "session": {"build", "client", "job token", "product", "store"},
    "build": {"session", "client", "job token", "publisher", "product", "store"},
    "client": {"session", "build", "job token", "publisher"},
    "job token": {"session", "build", "client", "publisher", "product"},
    "publisher": {"client", "job token"},
    "product": {"build", "client", "store"},
}


@db
def test_page_links_to_all_that_it_belongs_to(browser: Browser, session: IssuedSession) -> None:
    rows = rows_of(session)
    for name, others in LINKS.items():
        shown = page(browser, rows[name])
        found = {other for other, row in rows.items() if f'href="{page_address(row)}"' in shown}
        assert others <= found, name


@db
def test_page_of_a_session_answers_who_what_and_when(
    browser: Browser, session: IssuedSession
) -> None:
    shown = page(browser, session)
    for words in (
        "octo-org/octo-repo push refs/heads/main",
        "192.0.2.7",
        "uploader/1.0",
        "s3:PutObject",
        f"{session.root}/*",
        f"userIdentity.accessKeyId = '{session.access_key_id}'",
    ):
        assert words in shown


@db
def test_ci_job_is_named_with_a_link_to_its_run(browser: Browser, session: IssuedSession) -> None:
    for name in ("session", "build", "job token"):
        shown = page(browser, rows_of(session)[name])
        assert "commit c040cae0" in shown, name
        assert f'href="{RUN}"' in shown, name


@db
def test_time_line_of_a_build_goes_from_registration_to_its_end(
    browser: Browser, session: IssuedSession, now: datetime
) -> None:
    Build.objects.update(finished_at=now + MINUTE, deleted_at=now + 2 * MINUTE)
    shown = page(browser, session.existing_build).split("field-life")[1]
    words = ["registered", "session <a", "finished", "deleted", "closes by itself"]
    places = [shown.index(f">{word}") for word in words]
    assert places == sorted(places)
    assert f"for ci with {session.token_name} from 192.0.2.7" in shown
    assert f"active, expires {moment(session.expires_at)}: " in shown


BUILD_ENDS: list[tuple[dict[str, Any], str]] = [
    ({}, "closes by itself"),
    ({"open_until": NOW}, "expired unfinished: closed by itself"),
    ({"finished_at": NOW}, "finished"),
    ({"deleted_at": NOW}, "deleted"),
]


def test_time_line_of_a_build_says_how_it_ended() -> None:
    for columns, end in BUILD_ENDS:
        times = {"registered_at": NOW - HOUR, "open_until": NOW + HOUR}
        build = Build(**{**times, **columns})
        assert [what for _, what in build_events(build, NOW)] == ["registered", end]


@db
def test_pages_cost_the_same_for_many_sessions(
    browser: Browser, session: IssuedSession, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    alike = ("build", "client", "token_name", "requested_at", "expires_at")
    for _ in range(30):
        issued_row(**{name: getattr(session, name) for name in alike})
    group = Group.objects.create(name="everything")
    group.permissions.set(Permission.objects.all())
    group.user_set.set(User.objects.all())
    User.objects.update(is_superuser=False)
    for name, row in rows_of(session).items():
        page(browser, row)
        with django_assert_max_num_queries(12):
            shown = page(browser, row)
        assert len(re.findall(r"/issuedsession/\w{26}/change/", shown)) <= 20, name


@db
def test_page_of_a_key_says_what_it_gave(
    browser: Browser, api_key: ApiKey, build: Build, now: datetime
) -> None:
    start_job_token(client=api_key.client, api_key=api_key, products=[build.product], now=now)
    row = issued_row(token_name=api_key.token_name, build=build)
    shown = page(browser, api_key)
    for other in (row, JobToken.objects.get(), api_key.client, build):
        assert f'href="{page_address(other)}"' in shown


@db
def test_rows_of_another_model_are_for_those_who_may_view_it(
    client_row: Client, build: Build, now: datetime
) -> None:
    user = User.objects.create_user("reader", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_client"))
    browser = Browser()
    browser.force_login(user)
    row = issued_row(client=client_row, requested_at=now, expires_at=now + timedelta(hours=1))
    shown = page(browser, client_row)
    assert row.access_key_id not in shown
    assert build.root not in shown


@db
def test_time_line_of_a_build_is_there_without_its_sessions(build: Build) -> None:
    user = User.objects.create_user("reader", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_build"))
    browser = Browser()
    browser.force_login(user)
    row = issued_row(build=build)
    shown = page(browser, build)
    assert ">registered<" in shown
    assert row.access_key_id not in shown


@db
def test_key_leads_to_its_own_job_tokens(
    browser: Browser, api_key: ApiKey, build: Build, now: datetime
) -> None:
    fields = {"client": api_key.client, "products": [build.product], "now": now}
    own, _ = start_job_token(api_key=api_key, **fields)
    other_key, _ = make_api_key(client=api_key.client, actor=command_line_user())
    other, _ = start_job_token(api_key=other_key, **fields)
    [address] = re.findall(r'href="([^"]*)">All its job tokens', page(browser, api_key))
    shown = browser.get(address).content.decode()
    assert (own.public_id in shown, other.public_id in shown) == (True, False)
    assert browser.get(address.partition("=")[0] + "=x").status_code in {302, 400}


@db
@pytest.mark.parametrize("name", ["store", "product"])
def test_page_for_deleting_names_few_of_many_that_keep_a_row(
    name: str, browser: Browser, register: Callable[..., Build], make_product: Callable[..., Any]
) -> None:
    for number in range(21):
        register()
        make_product(f"guide{number}")
    row = Product.objects.first() if name == "store" else Build.objects.first()
    shown = page_at(browser, f"/admin/builds/{name}/{getattr(row, name).pk}/delete/")
    assert (shown.count("<li><a "), "it is referred to by" in shown) == (20, True)


@db
def test_last_product_of_a_limited_webhook_is_not_deleted(
    browser: Browser, make_product: Callable[..., Product]
) -> None:
    """It would receive what is about every product."""
    one, other = make_product("one"), make_product("other")
    webhook = Webhook.objects.create(name="editions", url="https://editions.example.org/")
    webhook.products.set([one, other])
    sent = {"post": "yes", "reason": "never used"}
    browser.post(page_address(other).replace("change", "delete"), sent)
    assert list(webhook.products.all()) == [one]
    address = page_address(one).replace("change", "delete")
    assert "editions" in browser.get(address).content.decode()
    browser.post(address, sent)
    assert list(webhook.products.all()) == [one]


@db
def test_page_for_deleting_names_records_that_are_kept(
    browser: Browser, store: Store, now: datetime
) -> None:
    JobRun.objects.create(job="doctor", started_at=now, store=store)
    shown = browser.get(f"/admin/builds/store/{store.pk}/delete/").content.decode()
    found = re.search(r"because of what belongs to it and is kept:.*?</ul>", shown, re.DOTALL)
    assert found
    assert "<li>run</li>" in found[0]


@db
def test_booleans_are_words(browser: Browser, client_row: Client) -> None:
    lists = ("/admin/credentials/client/", "/admin/auth/user/", "/admin/auth/group/")
    for address in (*lists, page_address(client_row)):
        shown = browser.get(address).content.decode()
        assert not re.search("icon-(yes|no)", shown)


@db
@pytest.mark.parametrize(
    ("root", "said"),
    [
        (SCOPE.root, "The policy as it was sent, restored: its SHA-256 is the recorded one"),
        ("guide/builds/other", "The policy cannot be restored. SHA-256: "),
    ],
    ids=["exactly", "not exactly"],
)
def test_page_says_whether_a_compacted_policy_was_remade(
    root: str, said: str, browser: Browser
) -> None:
    row = issued_row(
        root=SCOPE.root, bucket_name=SCOPE.bucket, policy=(policy := session_policy(SCOPE))
    )
    list(compact_policies(before=timezone.now() + timedelta(days=1)))
    IssuedSession.objects.update(root=root)
    shown = unescape(browser.get(page_address(row)).content.decode())
    assert (said in shown, policy in shown) == (True, root == SCOPE.root)


@db
def test_build_leads_to_where_it_is_published(browser: Browser, build: Build) -> None:
    Product.objects.update(published_url_template="https://{product}.example.net/{build}/")
    assert f'<a href="https://guide.example.net/{build.slug}/">' in page(browser, build)


@db
def test_what_others_wrote_is_text(browser: Browser, build: Build) -> None:
    Build.objects.update(github_requester="<script>alert(1)</script>")
    row = issued_row(build=build, caller_agent="<img src=x>", policy='{"Statement": "<b>"}')
    for shown in (
        browser.get(page_address(row)).content,
        browser.get(page_address(build)).content,
    ):
        assert not re.search(b"<script>alert|<img src=x>|<b>", shown)


@db
def test_booleans_that_cannot_be_changed_are_words(client_row: Client) -> None:
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_client", "view_apikey"])
    )
    browser = Browser()
    browser.force_login(user)
    shown = page(browser, client_row)
    assert "icon-no" not in shown
    assert '<div class="readonly">no</div>' in shown


@db
def test_client_has_its_keys_with_their_state(browser: Browser, api_key: ApiKey) -> None:
    shown = page(browser, api_key.client).split("field-keys")[1]
    assert f'<a href="{page_address(api_key)}">{api_key.token_name}</a>' in shown
    assert f"/admin/credentials/apikey/?client={api_key.client_id}" in shown
    [listed] = (
        browser.get(f"/admin/credentials/apikey/?client={api_key.client_id}")
        .context["cl"]
        .result_list
    )
    assert listed == api_key


TO_DO: list[tuple[dict[str, Any], str]] = [
    ({}, "no"),
    ({"registered_at": NOW - HOUR, "open_until": NOW}, "expired unfinished: Its job failed"),
    ({"finished_at": NOW}, "finished, not counted: manage.py count_builds"),
    ({"finished_at": NOW}, "/admin/credentials/jobrun/?job=count_builds"),
]


@db
def test_build_says_what_to_do_about_it(browser: Browser, build: Build) -> None:
    for columns, words in TO_DO:
        with undone():
            Build.objects.update(**columns)
            shown = page(browser, build).split("field-warnings")[1].split("</div></div>")[0]
            assert words in shown, words


def test_page_that_is_not_there_is_a_page(browser: Browser) -> None:
    for address in ("/admin/nope/", "/admin/end/planet/"):
        answer = browser.get(address)
        assert (answer.status_code, answer["content-type"]) == (404, "text/html; charset=utf-8")
        assert "<h1>Page not found</h1>" in answer.content.decode()
