"""`manage.py apply`, `export` and `create_publisher`: stores, products, clients and publishers as
one document.
"""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from builds.models import Build, Product, Store
from credentials.access.clients import command_line_user
from credentials.models import Client, OidcIssuer, TrustedPublisher
from credentials.operations.configuration import (
    OURS,
    Configuration,
    ConfigurationError,
    apply,
    export,
    parse_configuration,
    plan,
    read_configuration,
)
from tests.builds.importing.fake_keeper import FakeKeeper

pytestmark = pytest.mark.django_db
GITHUB = "https://token.actions.githubusercontent.com"
WHOLE = f"""
stores:
  main: {{bucket: docs-bucket, role_arn: "arn:aws:iam::123456789012:role/upload", with_sync: true}}
products:
  handbook: {{store: main, title: The handbook, access: sync, session_seconds: 900}}
  guide: {{store: main}}
issuers:
  {GITHUB}: {{kind: github}}
clients:
  ci: {{products: [handbook]}}
publishers:
  handbook from main:
    client: ci
    issuer: {GITHUB}
    products: [handbook]
    conditions: {{repository_id: 74, repository_owner_id: "65", ref_type: branch}}
groups:
  night shift: {{permissions: [credentials.view_client]}}
"""
IDS, NEW = ("--id", "74", "--id", "65"), ("--product", "handbook")


def document(text: str = WHOLE) -> Configuration:
    return parse_configuration(yaml.safe_load(text))


def apply_text(text: str = WHOLE, *, prune: bool = False) -> list[tuple[str, str, str]]:
    changes = apply(document(text), actor=command_line_user(), prune=prune)
    return [(change.kind, change.noun, change.name) for change in changes]


def enable(text: str) -> None:
    apply(document(text), actor=command_line_user(), enable=True)


def test_everything_is_made_and_a_second_time_nothing() -> None:
    assert [kind for kind, _, _ in apply_text()] == ["create"] * 7
    assert apply_text() == []
    rule = TrustedPublisher.objects.get()
    assert rule.conditions["repository_id"] == ["74"]
    assert "push" in rule.conditions["event_name"]
    assert Client.objects.get(name="ci").products.get().slug == "handbook"
    assert Product.objects.get(slug="handbook").surrogate_key


def test_what_is_exported_changes_nothing_and_makes_the_same_elsewhere() -> None:
    apply_text()
    before, exported = read_configuration(), export()
    assert plan(parse_configuration(exported), prune=True) == []
    for model in (TrustedPublisher, OidcIssuer, Client, Product, Store):
        model.objects.all().delete()
    Group.objects.exclude(name__in=OURS).delete()
    apply(parse_configuration(exported), actor=command_line_user())
    assert read_configuration() == before


def test_export_leaves_out_what_a_new_installation_has(store: Store) -> None:
    call_command(*("create_publisher", "--github", "octo/docs", *IDS), *NEW, stdout=StringIO())
    exported = export()
    assert exported["issuers"] == {GITHUB: {"kind": "github"}}
    assert exported["products"] == {"handbook": {"store": store.name}}
    assert exported["clients"] == {"octo-docs": {"products": ["handbook"]}}
    assert "groups" not in exported


@pytest.mark.slow
@pytest.mark.sqlite
@given(
    titles=st.lists(st.text("ab é:#'\"{}[]&*!|>%@`\\", max_size=12), min_size=1, max_size=3),
    granted=st.booleans(),
)
def test_exports_round_trip_through_yaml(titles: list[str], granted: bool) -> None:  # noqa: FBT001
    apply_text()
    Product.objects.filter(slug__startswith="p-").delete()
    entries = {f"p-{n}": {"store": "main", "title": title} for n, title in enumerate(titles)}
    clients = {"ci": {"products": list(entries) if granted else ["handbook"]}}
    wanted = parse_configuration({"products": entries, "clients": clients})
    apply(wanted, actor=command_line_user(), prune=True)
    out = StringIO()
    call_command("export", stdout=out)
    assert plan(parse_configuration(yaml.safe_load(out.getvalue())), prune=True) == []
    assert plan(wanted, prune=False) == []


def test_only_what_differs_is_changed_and_each_change_is_logged() -> None:
    apply_text()
    before = LogEntry.objects.count()
    changed = "products:\n  handbook: {title: Another}\n  guide: {store: main}\n"
    assert apply_text(changed) == [("change", "product", "handbook")]
    entry = LogEntry.objects.latest("pk")
    assert LogEntry.objects.count() == before + 1
    assert (entry.object_repr, entry.get_change_message()) == (
        "handbook",
        "By manage.py apply: title.",
    )
    assert entry.user == command_line_user()
    assert Product.objects.get(slug="handbook").session_seconds == 900


def test_nothing_goes_unless_told() -> None:
    Group.objects.get_or_create(name="viewer")
    apply_text()
    less = "clients:\n  other: {}\nissuers: {}\npublishers: {}\ngroups: {}\n"
    assert apply_text(less) == [("create", "client", "other")]
    kinds = apply_text(less, prune=True)
    assert kinds == [
        ("disable", "issuer", GITHUB),
        ("disable", "client", "ci"),
        ("disable", "publisher", "handbook from main"),
        ("delete", "group", "night shift"),
    ]
    assert Group.objects.filter(name="viewer").exists()
    assert not TrustedPublisher.objects.get().is_active


def test_grants_are_added_and_removed_only_when_told() -> None:
    apply_text()
    other = "clients:\n  ci: {products: [guide]}\n"
    apply_text(other)
    assert set(Client.objects.get(name="ci").products.values_list("slug", flat=True)) == {
        "guide",
        "handbook",
    }
    apply_text(other, prune=True)
    assert Client.objects.get(name="ci").products.get().slug == "guide"


def test_disabled_issuer_takes_its_rules_along_and_enables_none() -> None:
    apply_text()
    apply_text(f"issuers:\n  {GITHUB}: {{is_active: false}}\n")
    assert not TrustedPublisher.objects.get().is_active
    with pytest.raises(ConfigurationError, match="its issuer is disabled"):
        enable("publishers:\n  handbook from main: {is_active: true}\n")
    assert not TrustedPublisher.objects.get().is_active
    enable(f"issuers:\n  {GITHUB}: {{is_active: true}}\n")
    assert not TrustedPublisher.objects.get().is_active


def test_what_was_disabled_is_enabled_only_when_told() -> None:
    apply_text()
    Client.objects.update(is_active=False)
    exported = "clients:\n  ci: {is_active: true, products: [guide]}\n"
    with pytest.raises(ConfigurationError, match=r"clients\.ci\.is_active: frozen, .* --enable"):
        apply_text(exported)
    assert not Client.objects.get(name="ci").is_active
    enable(exported)
    assert Client.objects.get(name="ci").is_active


def test_frozen_fields_are_shown_and_refused(build: Build) -> None:
    text = f"stores:\n  {build.product.store}: {{bucket: elsewhere}}\n"
    [change] = plan(document(text))
    assert change.frozen == ("bucket",)
    with pytest.raises(
        ConfigurationError, match=r"stores\.\w+\.bucket: frozen, because builds are"
    ):
        apply_text(text)
    assert Store.objects.get().bucket != "elsewhere"


def test_store_that_becomes_another_has_not_shown_what_it_takes() -> None:
    apply_text()
    Store.objects.update(post_support="works")
    apply_text("stores:\n  main: {bucket: other-bucket}\n")
    assert Store.objects.get().post_support == "unknown"


def test_products_and_client_of_isolation_checks_are_not_exported(product: Product) -> None:
    Product.objects.update(slug="isolation-check-main")
    Client.objects.create(name="isolation-check")
    found = read_configuration()
    assert (found.products, found.clients) == ({}, {})
    assert plan(document("clients: {}\nproducts: {}\n"), prune=True) == []


WRONG: dict[str, tuple[str, str]] = {
    "section": ("shops: {}", "shops: no such section. There are stores, products"),
    "field": (
        "clients:\n  ci: {colour: red}",
        "clients.ci: Object contains unknown field `colour`",
    ),
    "type": ("products:\n  a1: {store: [main]}", "products.a1: Expected `str`, got `array`"),
    "control": ('groups:\n  "\\0": {}', "groups.\\u0000: The name has control characters"),
    "half a character in a field": ('products: {a1: {"\\ud800": 1}}', "products.a1: 'utf-8' codec"),
    "half a character": (
        'clients: {"\\ud800": {}}',
        "clients.\\ud800: The name has control characters",
    ),
    "name": ("clients:\n  2024: {}", "clients.2024: Expected `str`, got `int`"),
    "store": ("products:\n  a1: {store: no}", "products.a1: Expected `str`, got `bool`"),
    "no such store": ("products:\n  a1: {store: x}", "products.a1.store: there is no store x."),
    "no store": ("products:\n  a1: {title: x}", "products.a1: needs store."),
    "client": ("clients:\n  '!': {}", "clients.!.name: Letters, digits"),
    "product of the checks": (
        "products:\n  isolation-check-a: {store: main}\nstores: {main: {bucket: b1, role_arn: x}}",
        "products.isolation-check-a: the name is reserved for isolation checks. Choose another.",
    ),
    "client of the checks": (
        "clients: {isolation-check: {}}",
        "clients.isolation-check: the name is reserved",
    ),
    "grant": ("clients:\n  ci: {products: [x]}", "clients.ci.products: there is no product x."),
    "right": ("groups:\n  g: {permissions: [a.b]}", "groups.g.permissions: there is no permission"),
    "claims": (
        WHOLE.replace("repository_id: 74, ", ""),
        "publishers.handbook from main: ",
    ),
    "list": ("- 1", "The document has to be a mapping"),
    "entries": ("clients: [ci]", "clients: has to map names to fields."),
}


def test_wrong_document_is_a_sentence_with_its_place_and_changes_nothing() -> None:
    for case, (text, expected) in WRONG.items():
        before = msgspec.to_builtins(read_configuration())
        with pytest.raises(ConfigurationError) as caught:
            apply_text(text)
        assert expected in str(caught.value), case
        assert msgspec.to_builtins(read_configuration()) == before, case


def test_two_publishers_of_one_name_are_named() -> None:
    apply_text()
    rule = TrustedPublisher.objects.get()
    rule.pk = None
    rule.save()
    with pytest.raises(ConfigurationError, match="handbook from main: there are two"):
        read_configuration()
    with pytest.raises(CommandError, match="Rename one in the admin"):
        call_command("export", stdout=StringIO())


def run(path: Path, text: str, *arguments: str) -> tuple[int, str]:
    path.write_text(text)
    out = StringIO()
    try:
        call_command("apply", str(path), *arguments, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def test_dry_run_shows_the_difference_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keeper.yaml"
    code, told = run(path, WHOLE, "--dry-run")
    assert (code, Store.objects.count()) == (1, 0)
    assert '+ product handbook\n    store: "main"\n    title: "The handbook"\n' in told
    assert told.endswith("7 would be changed.\n")
    assert run(path, WHOLE)[1].endswith("7 changed.\n")
    assert run(path, WHOLE, "--dry-run") == (0, "Nothing differs.\n")
    assert '    title: "The handbook" -> "x"' in run(path, "products: {handbook: {title: x}}")[1]
    assert "`manage.py revoke client ci`" in run(path, "clients: {}", "--prune")[1]


def test_what_disabling_brings_along_is_printed(tmp_path: Path) -> None:
    run(path := tmp_path / "keeper.yaml", WHOLE)
    off = "{is_active: false}"
    told = run(path, f"issuers:\n  {GITHUB}: {off}\nclients:\n  ci: {off}")[1]
    assert "Its publishers are disabled as well." in told
    assert "`manage.py revoke client ci`" in told


def test_json_says_the_same(tmp_path: Path) -> None:
    code, told = run(tmp_path / "f", "clients: {ci: {}}", "--dry-run", "--format", "json")
    found: Any = json.loads(told)
    assert (code, found["dry_run"]) == (1, True)
    assert found["changes"] == [
        {"what": "client", "name": "ci", "change": "create", "fields": {}, "frozen": []}
    ]


UNREADABLE = {
    "twice": ("clients: {}\nclients: {}", "clients stands twice"),
    "no YAML": ("clients: {", "while parsing a flow node"),
    "list for a key": ("? [a]\n: b", "unhashable key"),
    "no such day": ("clients: 2001-99-99", "month must be in 1..12"),
    "no such type": ("clients: !!bool x", "a value in it is not valid"),
    "too deep": ("[" * 1000, "maximum recursion depth"),
    "code": ("clients: !!python/object:os.system {}", "could not determine a constructor"),
}


def test_unreadable_file_is_a_wrong_argument(tmp_path: Path) -> None:
    for case, (text, expected) in UNREADABLE.items():
        with pytest.raises(CommandError, match="cannot be read") as caught:
            run(tmp_path / "keeper.yaml", text)
        assert expected in str(caught.value), case
        assert caught.value.returncode == 2, case
    (tmp_path / "latin.yaml").write_bytes(b"\xff")
    for path, why in ((tmp_path, "Is a directory"), (tmp_path / "latin.yaml", "not UTF-8")):
        with pytest.raises(CommandError, match=f"The file {path} cannot be read: {why}"):
            call_command("apply", str(path))


EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "keeper.yaml"


def test_example_of_the_documentation_is_applied() -> None:
    call_command("apply", str(EXAMPLE), stdout=StringIO())
    assert plan(parse_configuration(yaml.safe_load(EXAMPLE.read_text())), prune=True) == []


# create_publisher: the provider's API is asked for the numbers.


@pytest.fixture
def provider() -> Iterator[FakeKeeper]:
    fake = FakeKeeper()
    fake.documents |= {
        "/repos/octo/docs": {"id": 74, "owner": {"id": 65}},
        "/projects/group%2Fsub%2Fdocs": {"id": 302},
        "/repos/octo/odd": {"id": "74", "owner": {}},
    }
    yield fake
    fake.stop()


def create(provider: FakeKeeper, *arguments: str) -> str:
    out = StringIO()
    call_command("create_publisher", *arguments, "--api", provider.url, stdout=out)
    return out.getvalue()


@pytest.mark.loopback
def test_one_command_lets_a_repository_upload(provider: FakeKeeper, store: Store) -> None:
    told = create(
        provider, "--github", "octo/docs", "--product", "handbook", "--branch", "refs/heads/main"
    )
    assert "octo/docs may upload handbook.\n" in told
    rule = TrustedPublisher.objects.get()
    assert (rule.client.name, rule.issuer.issuer) == ("octo-docs", GITHUB)
    assert rule.conditions == {
        "event_name": ["push", "workflow_dispatch", "schedule", "release"],
        "repository_id": ["74"],
        "repository_owner_id": ["65"],
        "ref_type": ["branch"],
        "ref": ["refs/heads/main"],
    }
    assert rule.client.products.get() == rule.products.get() == Product.objects.get(store=store)
    again = create(provider, "--github", "octo/docs", "--product", "handbook", "--branch", "main")
    assert again.startswith("octo/docs may upload handbook.\n")


@pytest.mark.loopback
def test_project_of_gitlab_is_looked_up_by_its_path(provider: FakeKeeper, product: Product) -> None:
    create(provider, "--gitlab", "group/sub/docs", "--product", product.slug)
    assert TrustedPublisher.objects.get().conditions["project_id"] == ["302"]


def test_numbers_that_are_given_are_not_looked_up(product: Product) -> None:
    arguments = ["--github", "octo/docs", "--product", product.slug, "--id", "74", "--id", "65"]
    call_command("create_publisher", *arguments, stdout=StringIO())
    assert TrustedPublisher.objects.get().conditions["repository_owner_id"] == ["65"]


@pytest.mark.loopback
@pytest.mark.parametrize("name", ["octo/none", "octo/odd"])
def test_repository_without_numbers_is_a_sentence(
    name: str, provider: FakeKeeper, product: Product
) -> None:
    with pytest.raises(
        CommandError, match="give --id REPOSITORY_ID --id REPOSITORY_OWNER_ID"
    ) as caught:
        create(provider, "--github", name, "--product", product.slug)
    assert caught.value.returncode == 3
    assert not TrustedPublisher.objects.exists()


@pytest.mark.loopback
def test_token_goes_to_the_provider_and_nowhere_else(
    provider: FakeKeeper, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    told = create(provider, "--github", "octo/docs", "--product", product.slug, "--dry-run")
    assert "ghp_secret" not in told
    assert not TrustedPublisher.objects.exists()


PIPELINE, ORGANIZATION = (f"a2c4e6a8-0000-4000-8000-00000000000{n}" for n in (1, 2))
# Arguments, lines to paste, issuer, conditions besides the events.
PASTED: dict[str, tuple[list[str], str, str, dict[str, list[str]]]] = {
    "GitHub": (
        ["--github", "octo/docs", *IDS],
        """
    - uses: octo-org/ltdkeeper@d23441a
      with:
        keeper: https://keeper.example.org
""",
        GITHUB,
        {"repository_id": ["74"], "ref_type": ["branch"], "ref": ["refs/heads/main"]},
    ),
    "GitLab": (
        ["--gitlab", "octo/docs", "--id", "302"],
        """
    include:
      - component: $CI_SERVER_FQDN/octo-org/ltdkeeper/upload@d23441a
        inputs:
          keeper: https://keeper.example.org
""",
        "https://gitlab.com",
        {"project_id": ["302"], "ref_type": ["branch"], "ref": ["main"]},
    ),
    "Buildkite": (
        ["--buildkite", PIPELINE],
        "\n        ltdkeeper-upload html --keeper https://keeper.example.org --product handbook\n",
        "https://agent.buildkite.com",
        {"pipeline_id": [PIPELINE], "build_branch": ["main"]},
    ),
    "CircleCI": (
        ["--circleci", f"{ORGANIZATION}/{PIPELINE}"],
        "\n        ltdkeeper-upload html --keeper https://keeper.example.org --product handbook\n",
        f"https://oidc.circleci.com/org/{ORGANIZATION}",
        {
            "oidc.circleci.com/project-id": [PIPELINE],
            "oidc.circleci.com/vcs-ref": ["refs/heads/main"],
        },
    ),
}


@pytest.mark.parametrize(
    ("arguments", "lines", "issuer", "conditions"), PASTED.values(), ids=PASTED
)
def test_command_says_what_to_paste(
    arguments: list[str],
    lines: str,
    issuer: str,
    conditions: dict[str, list[str]],
    store: Store,
    settings: Any,
) -> None:
    settings.LTD_UPLOAD_ACTION = "octo-org/ltdkeeper@d23441a"
    out, more = StringIO(), ["--product", "handbook", "--branch", "main"]
    call_command("create_publisher", *arguments, *more, stdout=out)
    assert out.getvalue().endswith(lines)
    rule = TrustedPublisher.objects.get()
    assert rule.issuer.issuer == issuer
    assert rule.conditions.items() >= conditions.items()
    call_command("create_publisher", *arguments, *more, stdout=out)


def test_what_to_paste_is_what_the_documentation_shows(store: Store) -> None:
    lines = EXAMPLE.with_name("github-one-job.yml").read_text().splitlines()
    added = [line.removesuffix("# +").strip() for line in lines if line.endswith("# +")]
    out = StringIO()
    call_command("create_publisher", "--github", "octo/docs", *IDS, *NEW, stdout=out)
    assert [each for each in added if each not in out.getvalue()] == []


ACTIONS = {"nothing": "OWNER/ltdkeeper@HASH", "a tag": "octo-org/ltdkeeper@v1"}


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_action_that_names_no_commit_is_reported(action: str, store: Store, settings: Any) -> None:
    settings.LTD_UPLOAD_ACTION, out = action, StringIO()
    call_command("create_publisher", "--github", "octo/docs", *IDS, *NEW, stdout=out)
    assert f"\n{action} names no commit. Set LTD_UPLOAD_ACTION" in out.getvalue()


def test_lines_for_previews_are_on_their_page(store: Store) -> None:
    out, more = StringIO(), ["--event", "pull_request"]
    call_command("create_publisher", "--github", "octo/docs", *IDS, *NEW, *more, stdout=out)
    assert out.getvalue().endswith("shows what to add for previews.\n")
    assert "id-token" not in out.getvalue()


def test_event_to_think_about_is_reported(store: Store) -> None:
    warned = StringIO()
    given = ["create_publisher", "--github", "octo/docs", *IDS, *NEW]
    more = ["--event", "pull_request_target", "--event", "pul_request"]
    call_command(*given, *more, stdout=StringIO(), stderr=warned)
    risky, unknown = warned.getvalue().splitlines()
    assert risky.startswith("Warning: pull_request_target runs for anyone's pull request")
    assert unknown.startswith("Warning: pul_request is not an event that this service knows.")


def test_what_to_paste_names_the_product_where_there_are_several(store: Store) -> None:
    out, more = StringIO(), ["--product", "guide", "--product", "handbook"]
    call_command("create_publisher", "--github", "octo/docs", *IDS, *more, stdout=out)
    assert "        product: guide # or handbook\n" in out.getvalue()


def test_project_that_cannot_be_meant_is_refused(store: Store) -> None:
    for arguments in [
        ["--buildkite", "handbook"],
        ["--circleci", PIPELINE],
        ["--buildkite", PIPELINE, "--tags"],
    ]:
        with pytest.raises(CommandError) as caught:
            call_command("create_publisher", *arguments, "--product", "handbook", stdout=StringIO())
        assert caught.value.returncode == 2, arguments
        assert not TrustedPublisher.objects.exists(), arguments


def test_token_is_sent_over_https_only(monkeypatch: pytest.MonkeyPatch, product: Product) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_secret")
    arguments = ["create_publisher", "--github", "octo/docs", "--product", product.slug]
    with pytest.raises(CommandError, match="is not https, and a token is sent to no other"):
        call_command(*arguments, "--api", "http://github.example.org", stdout=StringIO())
    for broken in ("http://[x", "https://[x"):
        with pytest.raises(CommandError, match=r"LocationParseError.* give --id REPOSITORY_ID"):
            call_command(*arguments, "--api", broken, stdout=StringIO())


def test_running_it_for_another_product_takes_none_from_the_rule(store: Store) -> None:
    arguments = ["create_publisher", "--github", "octo/docs", *IDS]
    call_command(*arguments, *NEW, stdout=StringIO())
    with pytest.raises(CommandError, match=r"differs\. Nothing was changed"):
        call_command(*arguments, "--product", "guide", stdout=StringIO())
    assert TrustedPublisher.objects.get().products.get().slug == "handbook"


def test_running_it_again_never_widens_a_rule(product: Product) -> None:
    arguments = ["create_publisher", "--github", "octo/docs", "--product", product.slug, *IDS]
    call_command(*arguments, "--branch", "main", stdout=StringIO())
    before = TrustedPublisher.objects.get().conditions
    with pytest.raises(CommandError, match=r"differs\. Nothing was changed"):
        call_command(*arguments, stdout=StringIO())
    call_command(*arguments, "--branch", "main", stdout=StringIO())
    assert TrustedPublisher.objects.get().conditions == before
    call_command(*arguments, "--tags", "--name", "releases", stdout=StringIO())
    assert TrustedPublisher.objects.get(name="releases").conditions["ref_type"] == ["tag"]
    call_command(*arguments, "--event", "pull_request", "--replace", stdout=StringIO())
    assert TrustedPublisher.objects.get(name="octo/docs").conditions["event_name"] == [
        "pull_request"
    ]


@pytest.mark.parametrize("mode", [[], ["--dry-run"], ["--replace", "--tags"]])
@pytest.mark.parametrize("model", [TrustedPublisher, Client, OidcIssuer])
def test_what_is_disabled_lets_no_job_upload_and_stays_so(
    model: Any, mode: list[str], product: Product
) -> None:
    arguments = ["create_publisher", "--github", "octo/docs", "--product", product.slug, *IDS]
    call_command(*arguments, stdout=StringIO())
    model.objects.update(is_active=False)
    with pytest.raises(CommandError, match=r"is disabled, so no job could upload") as caught:
        call_command(*arguments, *mode, stdout=(out := StringIO()))
    assert (caught.value.returncode, out.getvalue()) == (2, "")
    assert not model.objects.get().is_active


def test_dry_run_refuses_what_the_run_would_refuse(store: Store, tmp_path: Path) -> None:
    arguments = ["create_publisher", "--github", "octo/docs", *IDS, "--dry-run"]
    with pytest.raises(CommandError, match=r"products\.Foo_Bar\.slug"):
        call_command(*arguments, "--product", "Foo_Bar", stdout=StringIO())
    with pytest.raises(CommandError, match=r"clients\.!\.name"):
        run(tmp_path / "keeper.yaml", "clients: {'!': {}}", "--dry-run")
    assert not Product.objects.exists()
