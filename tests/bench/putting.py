"""`python -m tests.bench.putting`: what judging a session takes a store, one upload after another.

One small object is put again and again by addresses that were signed before, so that the program's
part is nothing; the sides take turns in an order drawn anew each time. `LTD_TEST_STORE` names the
store.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import urllib3

from credentials.rules.policy import Scope, session_policy
from credentials.vending.store_clients import AccessKey
from tests.bench.timing import Times, measure, show
from tests.store.documents import ANYBODY, EVERYTHING
from tests.store.stage import Account, prepared_account
from tests.store.started import store_under_test
from tests.store.uploader import key_in

ROOT = "handbook/builds/01m8amzjxqrpv52v10ccv8vd8c"
KEY = f"{ROOT}/index.html"


@contextmanager
def unlimited_role(account: Account) -> Iterator[str]:
    """The ARN of a role for the operator, whose only policy is the shortest there is."""
    name = f"{account.plan.role_name}-unlimited"
    account.iam.create_role(RoleName=name, AssumeRolePolicyDocument=ANYBODY)
    account.iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=EVERYTHING)
    try:
        yield account.row.role_arn.replace(account.plan.role_name, name)
    finally:
        account.iam.delete_role_policy(RoleName=name, PolicyName=name)
        account.iam.delete_role(RoleName=name)


def assumed(account: Account, by: AccessKey, role_arn: str, **policy: str) -> AccessKey:
    sts = account.store.client("sts", by)
    answer = sts.assume_role(RoleArn=role_arn, RoleSessionName="bench", **policy)
    return key_in(answer["Credentials"])


def keys_of(account: Account, unlimited: str) -> dict[str, AccessKey]:
    """Each side with what the store has to read more than for the side before."""
    scope = Scope(partition="aws", bucket=account.bucket, root=ROOT, may_list_bare_root=True)
    operator, role = account.store.operator, account.row.role_arn
    narrowed = assumed(account, account.vendor, role, Policy=session_policy(scope))
    return {
        "static key": operator,
        "session, shortest role policy": assumed(account, operator, unlimited),
        "session, the upload role": assumed(account, account.vendor, role),
        "session, with a session policy": narrowed,
    }


def put_to(http: urllib3.PoolManager, url: str) -> None:
    answer = http.request("PUT", url, body=b"<p>A page.</p>")
    assert answer.status == 200, answer.data


def in_turn(calls: Mapping[str, Any], *, count: int) -> list[Times]:
    rows = {title: Times(title=title, milliseconds=[]) for title in calls}
    titles, draw = list(calls), random.Random(1)  # noqa: S311 - an order, no secret
    for _ in range(count):
        draw.shuffle(titles)
        for title in titles:
            once = measure(title, calls[title], count=1, warm_up=0)
            rows[title].milliseconds.extend(once.milliseconds)
    return list(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    count = parser.parse_args().count
    with (
        store_under_test() as store,
        prepared_account(store) as account,
        unlimited_role(account) as unlimited,
    ):
        where = {"Params": {"Bucket": account.bucket, "Key": KEY}, "ExpiresIn": 3000}
        http, calls = urllib3.PoolManager(), {}
        for title, key in keys_of(account, unlimited).items():
            url = store.client("s3", key).generate_presigned_url("put_object", **where)
            calls[title] = partial(put_to, http, url)
        in_turn(calls, count=100)
        sys.stdout.write(f"{store.kind} {store.version}\n")
        show(in_turn(calls, count=count))


if __name__ == "__main__":
    main()
