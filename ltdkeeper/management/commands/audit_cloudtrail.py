"""`manage.py audit_cloudtrail`: hold CloudTrail's logs against the ledger; meant for cron."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import boto3
from tqdm import tqdm

from credentials.operations.audit.cloudtrail import TrailAudit, bucket_of_trail
from credentials.operations.audit.trail_coverage import public_keys
from credentials.operations.audit.trail_files import Directory, Source
from credentials.operations.runs import recorded_run
from credentials.vending.store_errors import CALL_FAILED, loggable
from ltdkeeper.management.findings import report_findings
from ltdkeeper.management.outcomes import (
    ServiceCommand,
    add_profile_argument,
    end,
    not_made,
    profile_session,
    utc_time,
    whole_number,
    wrong_argument,
)

MOST_JOBS = 32
S3 = "s3://"


class Command(ServiceCommand):
    help = (
        "Report what AWS CloudTrail saw of upload roles, sessions and buckets and the ledger does "
        "not know or allow. Reads on where it last ended. Exit code 1 when there is a finding that "
        "nobody acknowledged."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source", metavar="DIRECTORY|s3://BUCKET/PREFIX", help="where the logs are"
        )
        parser.add_argument(
            "--since", type=utc_time, metavar="TIME", help="read events from then on"
        )
        parser.add_argument("--until", type=utc_time, metavar="TIME", help="and before then")
        parser.add_argument(
            "--addresses",
            action="store_true",
            help="also report sessions used from another address than they were asked for from",
        )
        parser.add_argument(
            "--jobs",
            type=whole_number(1, MOST_JOBS),
            default=1,
            help="processes that read a file each; default 1, which needs least memory",
        )
        add_profile_argument(parser)
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        auditor = profile_session(options["profile"])
        source = _source(options["source"], auditor)
        with recorded_run("audit_cloudtrail") as run:
            audit = TrailAudit(
                source=source,
                run=run,
                since=options["since"],
                until=options["until"],
                addresses=options["addresses"],
                jobs=options["jobs"],
                keys=public_keys(auditor) if auditor else lambda _region: {},
            )
            try:
                files = audit.files()
                kept = run.keep(audit.findings(files, tqdm(files, unit="file", disable=None)))
                code = report_findings(self, kept, is_json=options["format"] == "json")
            except CALL_FAILED as err:
                raise not_made(f"The trail's bucket: {loggable(err)}.") from err
        end(code)


def _source(text: str, auditor: boto3.session.Session | None) -> Source:
    """Raises CommandError for what is no source."""
    if not text.startswith(S3):
        if not Path(text).is_dir():
            raise wrong_argument(f"{text!r} is no directory.")
        return Directory(Path(text))
    bucket, _, prefix = text.removeprefix(S3).partition("/")
    if auditor is None or not bucket:
        raise wrong_argument(
            "To read a bucket, give its name and the auditor's profile: --profile, or "
            "LTD_AUDITOR_PROFILE."
        )
    return bucket_of_trail(auditor, bucket, prefix)
