"""`manage.py audit_cloudtrail`: compare CloudTrail's logs with the ledger; meant for cron."""

import re
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from django.utils import timezone
from tqdm import tqdm

from credentials.operations.audit.cloudtrail import QueryAudit, TrailAudit, trail_client
from credentials.operations.audit.trail_coverage import public_keys
from credentials.operations.audit.trail_engines import Athena, QueryFailed, Spark
from credentials.operations.audit.trail_files import BadFileError, Bucket, Directory, Source
from credentials.operations.findings import Finding
from credentials.operations.runs import RecordedRun, recorded_run
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
TABLE = re.compile(r"[A-Za-z0-9_]+\.[A-Za-z0-9_]+")


def _add_engines(parser: ArgumentParser) -> None:
    engine = parser.add_mutually_exclusive_group()
    engine.add_argument(
        "--athena", metavar="DATABASE.TABLE", help="let Athena select records from a table"
    )
    engine.add_argument(
        "--spark", metavar="MASTER", help="let Spark select records from the source"
    )
    parser.add_argument(
        "--workgroup", default="primary", help="Athena's workgroup; default: primary"
    )
    parser.add_argument(
        "--results",
        metavar="s3://BUCKET/PREFIX",
        default="",
        help="where Athena writes results; default: the workgroup's setting",
    )


class Command(ServiceCommand):
    help = (
        "Compare what AWS CloudTrail recorded about upload roles, sessions and buckets "
        "with the ledger. Continues where the last run ended. Exit code 1 if there is "
        "an unacknowledged finding."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source",
            metavar="DIRECTORY|s3://BUCKET/PREFIX",
            nargs="?",
            default="",
            help="where the logs are",
        )
        parser.add_argument(
            "--since", type=utc_time, metavar="TIME", help="only events from this time on"
        )
        parser.add_argument(
            "--until", type=utc_time, metavar="TIME", help="only events before this time"
        )
        parser.add_argument(
            "--addresses",
            action="store_true",
            help="also report sessions used from an address other than the one that requested them",
        )
        parser.add_argument(
            "--jobs",
            type=whole_number(1, MOST_JOBS),
            default=1,
            help="files to read at once, each in its own process; default 1, which needs the least "
            "memory",
        )
        _add_engines(parser)
        add_profile_argument(parser)
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *_args: Any, **options: Any) -> None:
        since, until = options["since"], options["until"]
        if since and since >= (until or timezone.now()):
            raise wrong_argument("--since is not before --until, or before now: nothing to read.")
        auditor = profile_session(options["profile"])
        origin = _origin(auditor, options)
        with recorded_run("audit_cloudtrail") as run:
            try:
                code = report_findings(self, run.keep(_findings(origin, auditor, run, options)))
            except CALL_FAILED as err:
                raise not_made(f"The trail: {loggable(err)}.") from err
            except (BadFileError, QueryFailed) as err:
                raise not_made(str(err)) from err
        end(code)


def _origin(
    auditor: boto3.session.Session | None, options: dict[str, Any]
) -> Athena | Spark | Source:
    """An engine that chooses records, or the files to read here. Raises CommandError."""
    if options["athena"]:
        return _athena(auditor, options)
    return _spark(options) if options["spark"] else _source(options["source"], auditor)


def _findings(
    origin: Athena | Spark | Source,
    auditor: boto3.session.Session | None,
    run: RecordedRun,
    options: dict[str, Any],
) -> Iterator[Finding]:
    asked: dict[str, Any] = {name: options[name] for name in ("since", "addresses")}
    asked["run"] = run
    if isinstance(origin, Athena | Spark):
        until = options["until"] or timezone.now()
        yield from QueryAudit(engine=origin, until=until, **asked).findings()
        return
    if auditor:
        asked["keys"] = public_keys(auditor)
    audit = TrailAudit(source=origin, until=options["until"], jobs=options["jobs"], **asked)
    if not (files := audit.files()):
        raise not_made(
            f"{origin.name} has no log of this time: nothing was audited. The files' names must be "
            "those that CloudTrail gave them and end in .json.gz; a prefix ends before, or is part "
            "of, AWSLogs/ACCOUNT/CloudTrail."
        )
    yield from audit.findings(files, tqdm(files, unit="file", disable=None))


def _athena(auditor: boto3.session.Session | None, options: dict[str, Any]) -> Athena:
    table, results = options["athena"], options["results"]
    if options["source"] or not TABLE.fullmatch(table):
        raise wrong_argument("Give --athena the table, as DATABASE.TABLE, and no source beside it.")
    if auditor is None or (results and not results.startswith(S3)):
        raise wrong_argument(
            "For Athena, give the auditor's profile, --profile or LTD_AUDITOR_PROFILE, and "
            "--results as s3://BUCKET/PREFIX."
        )
    bar = tqdm(unit="B", unit_scale=True, desc="scanned", disable=None)

    def show(scanned: int) -> None:
        bar.update(scanned - bar.n)

    return Athena(
        client=trail_client("athena", auditor),
        table=table,
        workgroup=options["workgroup"],
        results=results,
        progress=show,
    )


def _spark(options: dict[str, Any]) -> Spark:
    """Hadoop reads S3 under a name of its own."""
    if not options["source"]:
        raise wrong_argument("Give --spark a source: a directory, or s3://BUCKET/PREFIX.")
    return Spark(master=options["spark"], source=re.sub("^s3:", "s3a:", options["source"]))


def _source(text: str, auditor: boto3.session.Session | None) -> Source:
    if not text.startswith(S3):
        if not text or not Path(text).is_dir():
            raise wrong_argument(f"{text!r} is no directory.")
        return Directory(Path(text))
    bucket, _, prefix = text.removeprefix(S3).partition("/")
    if auditor is None or not bucket:
        raise wrong_argument(
            "To read a bucket, give its name and the auditor's profile: --profile, or "
            "LTD_AUDITOR_PROFILE."
        )
    return Bucket(trail_client("s3", auditor), bucket, prefix)
