"""Two jobs of one client on one product: what each job's session reaches, on the store itself."""

from collections.abc import Callable, Iterator

import pytest

from demo.service import Service
from tests.store.answers import ACCEPTED, Answer, answer_to, http_answer
from tests.store.calls import Hand
from tests.store.conftest import OTHER_PRODUCT, PRODUCT
from tests.store.places import ORIGINAL, PAGE, body_of
from tests.store.stage import Account
from tests.store.uploader import Uploader, key_in

NOT_YOURS = Answer(403, "not_your_build")
MakeJob = Callable[[], Uploader]


@pytest.fixture
def make_job(service: Service, uploader: Uploader, account: Account) -> Iterator[MakeJob]:
    """A job of the client: it holds a job token for one product."""
    jobs: list[Uploader] = []

    def make() -> Uploader:
        answer = uploader.call("GET", f"/token?format=json&product={PRODUCT}")
        jobs.append(Uploader(service.url, api_key=answer.json()["token"], store=account.row.name))
        return jobs[-1]

    yield make
    for job in jobs:
        job.close()


def hand_of_open_build(job: Uploader, account: Account) -> Hand:
    """S3 with what the address gives that was known before the build was registered."""
    given = job.call("GET", f"/credentials?product={PRODUCT}").json()
    s3 = account.store.client("s3", key_in(given))
    return Hand(s3=s3, bucket=given["bucket"], root=given["root"])


def test_each_job_writes_its_own_root_and_no_other(make_job: MakeJob, account: Account) -> None:
    hands = []
    for _ in range(2):
        job = make_job()
        job.register(PRODUCT)
        hands.append(hand_of_open_build(job, account))
    for hand in hands:
        hand.s3.put_object(**hand.own(PAGE), Body=ORIGINAL)
    for hand, other in (hands, reversed(hands)):
        theirs = {"Bucket": other.bucket, "Key": f"{other.root}/{PAGE}"}
        refused = answer_to(
            lambda hand=hand, theirs=theirs: hand.s3.put_object(**theirs, Body=b"x")
        )
        assert refused == Answer(403, "AccessDenied")
        assert body_of(account.admin, other.bucket, theirs["Key"]) == ORIGINAL


def test_token_of_one_job_gets_nothing_for_another_jobs_build(make_job: MakeJob) -> None:
    first, second = make_job(), make_job()
    build = first.register(PRODUCT)
    second.register(PRODUCT)
    assert http_answer(first.ask(build)) == ACCEPTED
    assert http_answer(second.ask(build)) == NOT_YOURS
    assert http_answer(second.call("PATCH", build.url, {"uploaded": True})) == NOT_YOURS


def test_clients_key_gets_nothing_for_a_jobs_build(make_job: MakeJob, uploader: Uploader) -> None:
    build = make_job().register(PRODUCT)
    assert http_answer(uploader.ask(build)) == NOT_YOURS


def test_job_gets_nothing_for_a_build_of_the_clients_key(
    make_job: MakeJob, uploader: Uploader
) -> None:
    assert http_answer(make_job().ask(uploader.register(PRODUCT))) == NOT_YOURS


def test_job_gets_nothing_of_a_product_that_it_did_not_ask_for(make_job: MakeJob) -> None:
    job = make_job()
    answer = job.call("POST", f"/products/{OTHER_PRODUCT}/builds/", {"git_refs": ["main"]})
    assert http_answer(answer) == Answer(403, "product_not_granted")


def test_superseded_build_is_given_no_credentials(make_job: MakeJob) -> None:
    job = make_job()
    older, newer = job.register(PRODUCT), job.register(PRODUCT)
    assert http_answer(job.ask(older)) == Answer(409, "build_closed")
    assert http_answer(job.ask(newer)) == ACCEPTED


def test_spent_token_is_given_nothing(make_job: MakeJob) -> None:
    job = make_job()
    job.finish(job.register(PRODUCT))
    spent = Answer(409, "job_finished")
    assert http_answer(job.call("GET", f"/credentials?product={PRODUCT}")) == spent
    path = f"/products/{PRODUCT}/builds/"
    assert http_answer(job.call("POST", path, {"git_refs": ["main"]})) == spent
