"""`manage.py audit_bucket`: check the contents of a bucket against the builds; meant for cron."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import ClientError
from django.core.management import CommandError
from django.utils import timezone
from tqdm import tqdm

from builds.errors import DomainError
from builds.models import Product
from credentials.errors import AlreadyRunning
from credentials.operations.audit.bucket import BucketAudit, usage_of, usage_since
from credentials.operations.runs import Kept, RecordedRun, recorded_run
from credentials.vending.store_errors import CALL_FAILED, http_status, loggable
from ltdkeeper.management.findings import report_findings
from ltdkeeper.management.outcomes import (
    ExitCode,
    ServiceCommand,
    add_profile_argument,
    auditor_session,
    end,
    not_made,
    stores_named,
    whole_number,
    wrong_argument,
)

MOST_JOBS = 32
FIGURES = "{folder:<40} {objects:>12,} objects {bytes:>18,} bytes"
FORBIDDEN = 403
RIGHTS = {
    "ListObjectsV2": "ListBucket",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "AbortMultipartUpload": "AbortMultipartUpload",
}
GROWTH = " ({more_objects:+,}, {more_bytes:+,})"


class Command(ServiceCommand):
    help = (
        "Report objects that should not be in a store's bucket, and how much its "
        "products use, with the auditor's credentials. Exit code 1 if there is an "
        "unacknowledged finding."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store", nargs="?", metavar="STORE", help="default: every store")
        add_profile_argument(parser)
        parser.add_argument(
            "--abort",
            action="store_true",
            help="first abort multipart uploads started over a day ago; the profile needs that "
            "right",
        )
        parser.add_argument(
            "--product", metavar="SLUG", default="", help="check only this product's keys"
        )
        parser.add_argument(
            "--jobs", type=whole_number(1, MOST_JOBS), default=4, help="products at once; default 4"
        )
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        product, auditor = options["product"], auditor_session(options["profile"])
        if product and not Product.objects.filter(slug=product).exists():
            raise wrong_argument(f"There is no product {product!r}. GET /products/ lists them.")
        audits = [
            BucketAudit(
                store=store,
                auditor=auditor,
                now=timezone.now(),
                product=product,
                jobs=options["jobs"],
            )
            for store in stores_named(options["store"])
        ]
        stores: dict[str, dict[str, Any]] = {}
        kept = (
            each for audit in audits for each in self._kept(audit, stores, abort=options["abort"])
        )
        code = report_findings(self, kept, stores=stores)
        if not self.is_json:
            for name, figures in stores.items():
                self._write_figures(name, figures)
        has_failed = any(figures.get("failure") for figures in stores.values())
        end(ExitCode.NOT_MADE if has_failed else code)

    def _kept(
        self, audit: BucketAudit, stores: dict[str, dict[str, Any]], *, abort: bool
    ) -> Iterator[Kept]:
        """What is found in one store; when that fails, the next one's turn comes all the same."""
        figures = stores[audit.store.name] = {"aborted": 0, "usage": []}
        try:
            with (
                recorded_run("audit_bucket", store=audit.store) as run,
                _in_words(),
                tqdm(unit="object", desc=audit.store.name, disable=None) as bar,
            ):
                audit.on_objects = bar.update
                if abort:
                    figures["aborted"] = audit.abort_uploads()
                yield from run.keep(audit.findings(), is_whole=not audit.product)
                figures["usage"] = _usage(run, audit)
        except AlreadyRunning:
            raise
        except (DomainError, CommandError) as err:
            figures["failure"] = str(err)

    def _write_figures(self, name: str, figures: dict[str, Any]) -> None:
        if failure := figures.get("failure"):
            self.stderr.write(f"Store {name}: {failure}")
            return
        if figures["aborted"]:
            self.stdout.write(f"Store {name}: aborted {figures['aborted']} uploads.")
        self.stdout.write(f"Store {name}:")
        for row in figures["usage"]:
            growth = GROWTH.format(**row) if "more_objects" in row else ""
            self.stdout.write(f"  {FIGURES.format(**row)}{growth}")


@contextmanager
def _in_words() -> Iterator[None]:
    """What the store refused, as the sentence that the run's row and the output have."""
    try:
        yield
    except CALL_FAILED as err:
        is_refusal = isinstance(err, ClientError) and http_status(err) == FORBIDDEN
        right = RIGHTS.get(getattr(err, "operation_name", "")) if is_refusal else None
        needed = f" The profile needs the right s3:{right}." if right else ""
        raise not_made(f"{loggable(err)}.{needed}") from err


def _usage(run: RecordedRun, audit: BucketAudit) -> list[dict[str, Any]]:
    """Note in the run what the bucket holds, beside what it held when it was last looked at."""
    held = {folder: [each.objects, each.bytes] for folder, each in audit.usage.items()}
    for objects, size in held.values():
        run.looked_at(objects=objects, bytes=size)
    if audit.product:
        return usage_since(held, None)
    run.row.usage = held
    return usage_of(run.row)
