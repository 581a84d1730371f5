"""The calls under the main path with nothing around them, run as a program: `bare_calls.py`.

Reads lines from standard input: the address of an STS, `shared` (one client for all calls) or `new`
(a client for each call), and a number of calls. Answers each with a JSON document of milliseconds
a call: `processor_ms` of this process, `median_ms` by the clock.
"""

import json
import statistics
import sys
import time
from typing import Any

import boto3
from botocore.config import Config

# As long as the service's usual one.
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Sid": "x" * 1100}]})
CONFIG = Config(
    connect_timeout=1, read_timeout=1.5, retries={"mode": "standard", "total_max_attempts": 2}
)


def make_client(url: str) -> Any:
    return boto3.session.Session(
        aws_access_key_id="AKIABENCHBENCHBENCHB", aws_secret_access_key="only-for-the-bench"
    ).client("sts", region_name="us-east-1", endpoint_url=url, config=CONFIG)


def assume(client: Any) -> None:
    client.assume_role(
        RoleArn="arn:aws:iam::123456789012:role/upload",
        RoleSessionName="01K00000000000000000000000-guide",
        DurationSeconds=1800,
        Policy=POLICY,
    )


def measure(url: str, kind: str, calls: int, clients: dict[str, Any]) -> dict[str, float]:
    shared = clients.setdefault(url, make_client(url)) if kind == "shared" else None
    if shared and not clients.get("warm"):
        clients["warm"] = True
        for _ in range(10):
            assume(shared)
    before, times = time.process_time(), []
    for _ in range(calls):
        started = time.perf_counter()
        assume(shared or make_client(url))
        times.append((time.perf_counter() - started) * 1000)
    processor_ms = (time.process_time() - before) * 1000 / calls
    return {"processor_ms": processor_ms, "median_ms": statistics.median(times)}


def main() -> None:
    clients: dict[str, Any] = {}
    for line in sys.stdin:
        url, kind, calls = line.split()
        sys.stdout.write(json.dumps(measure(url, kind, int(calls), clients)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
