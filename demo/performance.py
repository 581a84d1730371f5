"""The main job and its counter-proof, on a stage that is set up."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from demo.attempts import Answer, Scene, try_all
from demo.checks import attempt_problems, contents_of, count_problems, ledger_problems
from demo.environment import STORE_NAME
from demo.identities import BUCKET
from demo.job import Job, Published
from demo.keeper import Keeper
from demo.ledger import LedgerRow, ledger_row
from demo.site import SiteFile
from demo.stage import CLIENT, OTHER_PRODUCT, PRODUCT, Stage
from demo.upload import differences

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, kw_only=True)
class Performance:
    """What happened. `secrets` is everything that was handed out, by name."""

    files: list[SiteFile]
    own: Published
    answers: list[Answer]
    ledger: LedgerRow | None
    problems: list[str]
    secrets: dict[str, str] = field(repr=False)


def perform(*, stage: Stage, files: list[SiteFile]) -> Performance:
    """Publish a site, then try its credentials where they have no business.

    Raises DemoError when the job itself fails; everything else is among the problems.
    """
    job = _job(stage)
    other, sibling = job.publish_page(OTHER_PRODUCT), job.publish_page(PRODUCT)
    own = job.publish_site(PRODUCT, files)
    reader = stage.reader_client()
    before = contents_of(reader, BUCKET)
    answers = try_all(_scene(job, own=own, sibling=sibling, other=other))
    changes = attempt_problems(answers, before=before, after=contents_of(reader, BUCKET))
    row = ledger_row(stage.folder.database, session_id=own.credentials.session_id)
    return Performance(
        files=files,
        own=own,
        answers=answers,
        ledger=row,
        problems=[*_arrival_problems(reader, own, files), *changes, *ledger_problems(row, own)],
        secrets=stage.secrets | other.secrets | sibling.secrets | own.secrets,
    )


def _job(stage: Stage) -> Job:
    """A CI job whose client may upload to both products."""
    keeper = Keeper(stage.service.url, client=CLIENT, api_key=stage.api_key)
    for product in (PRODUCT, OTHER_PRODUCT):
        keeper.create_product(product, store=STORE_NAME, title=product.title())
    return Job(keeper=keeper, store=stage.store)


def _scene(job: Job, *, own: Published, sibling: Published, other: Published) -> Scene:
    return Scene(
        s3=job.client("s3", own.credentials),
        sts=job.client("sts", own.credentials),
        own=own.build,
        sibling=sibling.build,
        other_product=other.build,
    )


def _arrival_problems(reader: "S3Client", own: Published, files: list[SiteFile]) -> list[str]:
    """Also after the attempts: what they might have added would be a difference."""
    found = differences(s3=reader, build=own.build, files=files)
    return [*count_problems(own, files), *found]
