"""`manage.py create_publisher`: let a repository's CI jobs upload, with one command.

Sources: Buildkite, "OIDC in Buildkite Pipelines" (buildkite.com/docs); CircleCI, "Using OpenID
Connect tokens in jobs" (circleci.com/docs); and the `jwks_uri` of their discovery documents.
"""

import os
import re
from argparse import ArgumentParser
from string import Template
from typing import Any, NamedTuple

from django.conf import settings

from builds.models import Product, Store
from credentials.access.clients import command_line_user
from credentials.models.clients import CLIENT_NAME_LENGTH
from credentials.operations.ci_projects import ProjectLookupError, project_conditions
from credentials.operations.configuration import (
    NOUNS,
    ClientEntry,
    Configuration,
    ConfigurationError,
    IssuerEntry,
    ProductEntry,
    PublisherEntry,
    apply,
    plan,
    read_configuration,
    rehearse,
)
from credentials.rules.publishers import IssuerKind, claims_of, default_issuer, event_warnings
from ltdkeeper.management.commands.apply import render
from ltdkeeper.management.outcomes import ServiceCommand, not_made, wrong_argument

LONGEST_NAME = 64  # of a publisher
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NAME = r"[\w.-]+(/[\w.-]+)+"


class Provider(NamedTuple):
    """A CI system: how its projects are named, which claims identify them and say the branch, and
    what a maintainer adds to a repository.
    """

    kind: IssuerKind
    project: str
    form: str
    identifying: tuple[str, ...]
    branch: tuple[str, str]
    lines: str
    token: str = ""
    issuer: str = ""
    keys: str = ""


PROVIDERS = {
    "github": Provider(
        kind=IssuerKind.GITHUB,
        project="OWNER/REPO",
        form=NAME,
        identifying=("repository_id", "repository_owner_id"),
        branch=("ref", "refs/heads/"),
        token="GITHUB_TOKEN",  # noqa: S106 - a variable
        lines="""\
To the job that builds the documentation, add:

    permissions: {contents: read, id-token: write}

and as its last step:

    - uses: $action
      with:
        keeper: $keeper
        product: $product
""",
    ),
    "gitlab": Provider(
        kind=IssuerKind.GITLAB,
        project="GROUP/PROJECT",
        form=NAME,
        identifying=("project_id",),
        branch=("ref", ""),
        token="GITLAB_TOKEN",  # noqa: S106 - a variable
        lines="""\
Once, set PIP_INDEX_URL for the group: the index that has ltdkeeper-upload (docs/how-to/gitlab.rst).
To .gitlab-ci.yml, whose stage before `deploy` builds the documentation, add:

    include:
      - component: $$CI_SERVER_FQDN/$component
        inputs:
          keeper: $keeper
          product: $product
""",
    ),
    "buildkite": Provider(
        kind=IssuerKind.OTHER,
        project="PIPELINE_ID",
        form=UUID,
        identifying=("pipeline_id",),
        branch=("build_branch", ""),
        issuer="https://agent.buildkite.com",
        keys="/.well-known/jwks",
        lines="""\
To .buildkite/pipeline.yml, after a step that keeps the documentation as artifacts, add:

    - wait
    - command: |
        buildkite-agent artifact download 'html/**/*' .
        python3 -m pip install ltdkeeper-upload # from your index: PIP_INDEX_URL
        ltdkeeper-upload html --keeper $keeper --product $product
""",
    ),
    "circleci": Provider(
        kind=IssuerKind.OTHER,
        project="ORGANIZATION_ID/PROJECT_ID",
        form=f"{UUID}/{UUID}",
        identifying=("oidc.circleci.com/project-id",),
        branch=("oidc.circleci.com/vcs-ref", "refs/heads/"),
        issuer="https://oidc.circleci.com/org/$organization",
        keys="/.well-known/jwks-pub.json",
        lines="""\
To .circleci/config.yml, as the last step of the job that builds the documentation, add:

    - run: |
        python3 -m pip install ltdkeeper-upload # from your index: PIP_INDEX_URL
        ltdkeeper-upload html --keeper $keeper --product $product
""",
    ),
}

PREVIEW_EVENTS = {"pull_request", "merge_request_event"}
PREVIEW_LINES = "The page docs/how-to/previews.rst shows what to add for previews.\n"
UNPINNED = """\
$action names no commit. Set LTD_UPLOAD_ACTION to your repository and the full hash of a commit
in it: tags and branches can be moved to other code.

"""


class Command(ServiceCommand):
    help = (
        "Let a repository's CI jobs upload products without a stored secret: create the issuer, "
        "the client, missing products and a trusted publisher. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        for name, provider in PROVIDERS.items():
            which.add_argument(f"--{name}", metavar=provider.project)
        parser.add_argument("--product", action="append", required=True, metavar="SLUG")
        parser.add_argument(
            "--store", help="where missing products are created; default: the only one"
        )
        parser.add_argument("--client", help="default: derived from the repository's name")
        parser.add_argument("--branch", action="append", help="only from these branches")
        parser.add_argument("--tags", action="store_true", help="only from tags, such as releases")
        parser.add_argument("--environment", action="append", help="only from these environments")
        parser.add_argument(
            "--event",
            action="append",
            help="what may start the job, such as pull_request; default: push and the other usual "
            "events",
        )
        parser.add_argument("--name", help="the publisher's name; default: the repository's")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="change an existing publisher, also its products",
        )
        parser.add_argument(
            "--id",
            action="append",
            help="instead of asking the provider: GitHub's repository and owner ids, in this "
            "order, or GitLab's project id",
        )
        parser.add_argument("--issuer", default="", help="the issuer of a self-hosted server")
        parser.add_argument(
            "--api",
            default="",
            metavar="URL",
            help="the API of a self-hosted server. GITHUB_TOKEN or GITLAB_TOKEN is sent if set",
        )
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")

    def handle(self, *_args: Any, **options: Any) -> None:
        name = next(name for name in PROVIDERS if options[name])
        provider, project = PROVIDERS[name], options[name]
        if not re.fullmatch(provider.form, project):
            raise wrong_argument(f"--{name} {project}: must be {provider.project}.")
        try:
            wanted = _wanted(name, project, options)
            _refuse_to_replace(wanted, is_meant=options["replace"])
            _refuse_disabled(wanted)
            do = rehearse if options["dry_run"] else apply
            changes = do(wanted, actor=command_line_user())
        except ProjectLookupError as err:
            numbers = " ".join(f"--id {claim.upper()}" for claim in provider.identifying)
            raise not_made(f"{err} Without access to it, give {numbers}.") from err
        except ConfigurationError as err:
            raise wrong_argument("Nothing was changed. " + " ".join(err.problems)) from err
        for change in changes:
            self.stdout.write(render(change))
        publishers: Any = wanted.publishers
        for publisher in publishers.values():
            for sentence in event_warnings(provider.kind, publisher.conditions):
                self.stderr.write(f"Warning: {sentence}")
        products = ", ".join(options["product"])
        if options["dry_run"]:
            self.stdout.write(f"Jobs of {project} would be able to upload {products}.")
        else:
            self.stdout.write(f"{project} may upload {products}.\n")
            is_preview = PREVIEW_EVENTS.intersection(options["event"] or [])
            lines = PREVIEW_LINES if is_preview else _lines(provider, options["product"])
            self.stdout.write(lines, ending="")


def _lines(provider: Provider, slugs: list[str]) -> str:
    """What a maintainer adds. Jobs find a single product by themselves."""
    lines = provider.lines
    if len(slugs) == 1:
        lines = re.sub("(?m)^ *product: .*\n", "", lines)
    action = settings.LTD_UPLOAD_ACTION
    if provider.kind is not IssuerKind.OTHER and not re.fullmatch(".*@[0-9a-f]{40}", action):
        lines = UNPINNED + lines
    return Template(lines).substitute(
        action=action,
        component="/upload@".join(action.split("@")),
        keeper=settings.LTD_PUBLIC_URL,
        product=slugs[0] + "".join(f" # or {slug}" for slug in slugs[1:]),
    )


def _refuse_to_replace(wanted: Configuration, *, is_meant: bool) -> None:
    """A rule that exists is not changed, nor widened, by running this again."""
    for change in [] if is_meant else plan(wanted):
        if change.section == "publishers" and change.kind == "change":
            raise wrong_argument(
                f"There is a publisher {change.name} that differs. Nothing was changed:\n"
                f"{render(change)}\nGive another --name to create another publisher, or --replace "
                "to change this one."
            )


def _refuse_disabled(wanted: Configuration) -> None:
    """What somebody disabled accepts no job, and this enables nothing."""
    found = read_configuration(("issuers", "clients", "publishers"))
    for section in ("issuers", "clients", "publishers"):
        here = getattr(found, section)
        for name in getattr(wanted, section):
            if name in here and not here[name].is_active:
                raise wrong_argument(
                    f"The {NOUNS[section][0]} {name} is disabled, so no job could upload. Nothing "
                    "was changed. To let its jobs upload, enable it in the admin first."
                )


def _wanted(name: str, project: str, options: dict[str, Any]) -> Configuration:
    provider, slugs = PROVIDERS[name], options["product"]
    default = Template(provider.issuer).substitute(organization=project.partition("/")[0])
    issuer = options["issuer"] or default or default_issuer(provider.kind)
    entry = IssuerEntry(kind=provider.kind.value)
    title = project
    if provider.kind is IssuerKind.OTHER:
        title = f"{name}/{slugs[0]}"
        entry.jwks_url = issuer + provider.keys
        entry.identifying_claims = list(provider.identifying)
    client = options["client"] or re.sub(r"[^\w.-]", "-", title)[:CLIENT_NAME_LENGTH]
    publisher = PublisherEntry(
        client=client,
        issuer=issuer,
        products=slugs,
        conditions=_conditions(provider, project, options),  # type: ignore[arg-type]
    )
    return Configuration(
        products={slug: ProductEntry(**_new_product(slug, options["store"])) for slug in slugs},
        issuers={issuer: entry},
        clients={client: ClientEntry(products=slugs)},
        publishers={options["name"] or title[-LONGEST_NAME:]: publisher},
    )


def _conditions(provider: Provider, project: str, options: dict[str, Any]) -> dict[str, list[str]]:
    conditions = _identity(provider, project, options)
    is_other = provider.kind is IssuerKind.OTHER
    if is_other and (options["tags"] or options["environment"] or options["event"]):
        raise wrong_argument("--tags, --environment and --event are for GitHub and GitLab.")
    if options["tags"]:
        if options["branch"]:
            raise wrong_argument(
                "Give --branch or --tags, not both: --name creates another publisher."
            )
        conditions["ref_type"] = ["tag"]
    if events := options["event"]:
        conditions[claims_of(provider.kind).event] = list(events)
    if branches := options["branch"]:
        claim, prefix = provider.branch
        conditions |= {} if is_other else {"ref_type": ["branch"]}
        conditions[claim] = [prefix + each.removeprefix("refs/heads/") for each in branches]
    if environments := options["environment"]:
        conditions["environment"] = list(environments)
    return conditions


def _identity(provider: Provider, project: str, options: dict[str, Any]) -> dict[str, list[str]]:
    names, given = provider.identifying, options["id"]
    if provider.kind is IssuerKind.OTHER:
        return {names[0]: [project.rpartition("/")[2]]}
    if given and len(given) != len(names):
        raise wrong_argument(f"--id: needed {len(names)} times, for {' and '.join(names)}.")
    if given:
        return {name: [value] for name, value in zip(names, given, strict=True)}
    token = os.environ.get(provider.token, "")
    return project_conditions(provider.kind, project, api=options["api"], token=token)


def _new_product(slug: str, store: str | None) -> dict[str, Any]:
    """What a product that is missing needs: its store."""
    if Product.objects.filter(slug=slug).exists():
        return {}
    names = [store] if store else list(Store.objects.values_list("name", flat=True)[:2])
    if len(names) != 1:
        raise wrong_argument(f"There is no product {slug}. Name its store with --store.")
    return {"store": names[0]}
