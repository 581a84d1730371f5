"""`manage.py bootstrap_store`: the identities and the bucket settings that a store needs."""

from argparse import ArgumentParser
from contextlib import nullcontext
from typing import Any

import orjson
from boto3.session import Session
from botocore.exceptions import BotoCoreError, ProfileNotFound
from django.conf import settings

from builds.models import Store
from credentials.operations.account.bootstrap import Report, bootstrap_store
from credentials.operations.account.clients import StoreClients, key_of_profile
from credentials.operations.account.requirements import wanted_account
from credentials.operations.account.terraform import terraform
from credentials.operations.leases import only_run
from credentials.rules.account_documents import UnsafeIdentityError, WantedAccount
from ltdkeeper.management.outcomes import (
    ExitCode,
    ServiceCommand,
    end,
    not_made,
    reason_of,
    wrong_argument,
)

SET_AS_WELL = (
    "Set LTD_STORE_WITH_SYNC=true as well, if LTD_STORE_* describes this store: ensure_store "
    "compares them."
)


class Command(ServiceCommand):
    help = (
        "Print what a store's account needs, or create it with your own credentials (from boto3's "
        "usual places, or --profile). Safe to repeat. Exit code 3 if a step failed."
    )
    json_option = orjson.OPT_INDENT_2

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--store", metavar="NAME", help="required if there are several")
        parser.add_argument(
            "--apply", action="store_true", help="create what is missing; without it, only print"
        )
        parser.add_argument(
            "--with-sync",
            action="store_true",
            help="let the upload role read objects, for products with sync access",
        )
        parser.add_argument(
            "--with-revoker",
            action="store_true",
            help="create the revoker even where it could grant the upload role any right",
        )
        parser.add_argument(
            "--format",
            choices=["text", "json", "terraform"],
            default="text",
            help="terraform: a configuration that creates the same on AWS, without examining it",
        )
        parser.add_argument("--profile", default="", help="your own credentials")
        parser.add_argument("--vendor-arn", default="", help="an existing user or role")
        parser.add_argument(
            "--vendor-profile", default="", help="the vendor's credentials, for tests"
        )
        parser.add_argument("--prefix", default="ltdkeeper", help="start of the users' names")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            session = Session(profile_name=options["profile"] or None)
            store = _store(options["store"])
            account = wanted_account(
                store,
                with_sync=options["with_sync"],
                vendor_arn=options["vendor_arn"],
                prefix=options["prefix"],
            )
            if options["format"] == "terraform":
                self._terraform(account, apply=options["apply"])
                return
            vendor_profile = options["vendor_profile"]
            vendor_key = key_of_profile(vendor_profile) if vendor_profile else None
            one_run = only_run(f"bootstrap_store of the store {store.name}")
            with one_run if options["apply"] else nullcontext():
                report = self._bootstrap(
                    clients=StoreClients(store=store, session=session),
                    account=account,
                    vendor_key=vendor_key,
                    apply=options["apply"],
                    with_revoker=options["with_revoker"],
                )
        except (ProfileNotFound, UnsafeIdentityError) as err:
            raise wrong_argument(str(err)) from err
        except BotoCoreError as err:
            raise not_made(str(err)) from err
        if options["with_sync"] and report.applied and report.has_rights:
            Store.objects.filter(pk=store.pk).update(with_sync=True)
            if store.name == settings.LTD_STORE_NAME and not settings.LTD_STORE_WITH_SYNC:
                self.stderr.write(SET_AS_WELL)
        self.answer(report.document(), *report.lines())
        is_made = report.has_api and not report.has_failed
        end(ExitCode.NOTHING_FOUND if is_made else ExitCode.NOT_MADE)

    def _terraform(self, account: WantedAccount, *, apply: bool) -> None:
        if apply or not account.is_aws:
            raise wrong_argument("Terraform is for stores of AWS, and applies by itself.")
        self.write_json(terraform(account))

    def _bootstrap(self, *, clients: StoreClients, apply: bool, **rest: Any) -> Report:
        """Tells what was done also when the run breaks off, since new keys are shown only once."""
        report = Report(store_name=clients.store.name, applied=apply)
        try:
            return bootstrap_store(clients=clients, apply=apply, report=report, **rest)
        except BaseException as err:
            if report.keys:
                self.answer(report.document(error=reason_of(err)), *report.lines())
            raise


def _store(name: str | None) -> Store:
    stores = Store.objects.filter(name=name) if name else Store.objects.all()
    if (found := list(stores[:2])) and len(found) == 1:
        return found[0]
    names = ", ".join(Store.objects.order_by("name").values_list("name", flat=True)) or "none"
    raise wrong_argument(f"Name one store with --store. There are: {names}.")
