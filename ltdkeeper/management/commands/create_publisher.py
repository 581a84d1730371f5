"""`manage.py create_publisher`: let a repository's CI jobs upload, with one command."""

import os
import re
from argparse import ArgumentParser
from typing import Any

from builds.models import Product, Store
from credentials.access.clients import command_line_user
from credentials.models.clients import CLIENT_NAME_LENGTH
from credentials.operations.ci_projects import ProjectLookupError, project_conditions
from credentials.operations.configuration import (
    ClientEntry,
    Configuration,
    ConfigurationError,
    IssuerEntry,
    ProductEntry,
    PublisherEntry,
    apply,
    plan,
    rehearse,
)
from credentials.rules.publishers import IssuerKind, claims_of, default_issuer
from ltdkeeper.management.commands.apply import render
from ltdkeeper.management.outcomes import ServiceCommand, not_made, wrong_argument

LONGEST_NAME = 64  # of a publisher
TOKENS = {IssuerKind.GITHUB: "GITHUB_TOKEN", IssuerKind.GITLAB: "GITLAB_TOKEN"}
IDS = {
    IssuerKind.GITHUB: ("repository_id", "repository_owner_id"),
    IssuerKind.GITLAB: ("project_id",),
}


class Command(ServiceCommand):
    help = (
        "Let the CI jobs of a repository upload products, without a secret: make the issuer, the "
        "client, missing products and a trusted publisher. Safe to repeat."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--github", metavar="OWNER/REPO")
        which.add_argument("--gitlab", metavar="GROUP/PROJECT")
        parser.add_argument("--product", action="append", required=True, metavar="SLUG")
        parser.add_argument(
            "--store", help="where missing products are made; default: the only one"
        )
        parser.add_argument("--client", help="default: made of the repository's name")
        parser.add_argument("--branch", action="append", help="only from these branches")
        parser.add_argument("--tags", action="store_true", help="only from tags, such as releases")
        parser.add_argument("--environment", action="append", help="only from these environments")
        parser.add_argument(
            "--event",
            action="append",
            help="what may start the job, such as pull_request; default: push and other usual ones",
        )
        parser.add_argument("--name", help="of the publisher; default: the repository's")
        parser.add_argument(
            "--replace",
            action="store_true",
            help="change the conditions of a publisher that exists",
        )
        parser.add_argument(
            "--id",
            action="append",
            help="instead of asking the provider: GitHub's repository and owner ids, in this "
            "order, or GitLab's project id",
        )
        parser.add_argument("--issuer", default="", help="of a server of your own")
        parser.add_argument(
            "--api",
            default="",
            metavar="URL",
            help="of a server of your own. GITHUB_TOKEN or GITLAB_TOKEN is sent if set",
        )
        parser.add_argument("--dry-run", action="store_true", help="only show what would change")

    def handle(self, *_args: Any, **options: Any) -> None:
        kind = IssuerKind.GITHUB if options["github"] else IssuerKind.GITLAB
        project = options["github"] or options["gitlab"]
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+", project):
            raise wrong_argument(f"{project!r} is not the name of a repository: OWNER/REPO.")
        try:
            wanted = _wanted(kind, project, options)
            _refuse_to_replace(wanted, is_meant=options["replace"])
            do = rehearse if options["dry_run"] else apply
            changes = do(wanted, actor=command_line_user())
        except ProjectLookupError as err:
            raise not_made(f"{err} Or give the numbers with --id.") from err
        except ConfigurationError as err:
            raise wrong_argument("Nothing was changed. " + " ".join(err.problems)) from err
        for change in changes:
            self.stdout.write(render(change))
        products = ", ".join(options["product"])
        told = (
            "Jobs of {} would be able to upload {}." if options["dry_run"] else "{} may upload {}."
        )
        self.stdout.write(told.format(project, products))


def _refuse_to_replace(wanted: Configuration, *, is_meant: bool) -> None:
    """Conditions of a rule that exists are not changed, nor widened, by running this again."""
    for change in [] if is_meant else plan(wanted):
        is_rule = change.section == "publishers" and change.kind == "change"
        if is_rule and change.fields.keys() & {"conditions", "client", "issuer"}:
            raise wrong_argument(
                f"There is a publisher {change.name} that differs. Nothing was changed:\n"
                f"{render(change)}\nAdd --name for a further publisher, or --replace."
            )


def _wanted(kind: IssuerKind, project: str, options: dict[str, Any]) -> Configuration:
    issuer = options["issuer"] or default_issuer(kind)
    client = options["client"] or re.sub(r"[^\w.-]", "-", project)[:CLIENT_NAME_LENGTH]
    slugs = options["product"]
    publisher = PublisherEntry(
        client=client,
        issuer=issuer,
        products=slugs,
        conditions=_conditions(kind, project, options),  # type: ignore[arg-type]
    )
    return Configuration(
        products={slug: ProductEntry(**_new_product(slug, options["store"])) for slug in slugs},
        issuers={issuer: IssuerEntry(kind=kind.value)},
        clients={client: ClientEntry(products=slugs)},
        publishers={options["name"] or project[-LONGEST_NAME:]: publisher},
    )


def _conditions(kind: IssuerKind, project: str, options: dict[str, Any]) -> dict[str, list[str]]:
    names = IDS[kind]
    if (given := options["id"]) and len(given) != len(names):
        raise wrong_argument(f"--id: needed {len(names)} times, for {' and '.join(names)}.")
    if given:
        conditions = {name: [value] for name, value in zip(names, given, strict=True)}
    else:
        token = os.environ.get(TOKENS[kind], "")
        conditions = project_conditions(kind, project, api=options["api"], token=token)
    if options["tags"]:
        if options["branch"]:
            raise wrong_argument("Give --branch or --tags: make a further publisher with --name.")
        conditions["ref_type"] = ["tag"]
    if events := options["event"]:
        conditions[claims_of(kind).event] = list(events)
    if branches := options["branch"]:
        prefix = "refs/heads/" if kind is IssuerKind.GITHUB else ""
        conditions |= {"ref_type": ["branch"], "ref": [prefix + each for each in branches]}
    if environments := options["environment"]:
        conditions["environment"] = list(environments)
    return conditions


def _new_product(slug: str, store: str | None) -> dict[str, Any]:
    """What a product that is missing needs: its store."""
    if Product.objects.filter(slug=slug).exists():
        return {}
    names = [store] if store else list(Store.objects.values_list("name", flat=True)[:2])
    if len(names) != 1:
        raise wrong_argument(f"There is no product {slug}. Say with --store where to make it.")
    return {"store": names[0]}
