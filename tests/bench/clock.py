"""`python -m tests.bench.clock`: clocks beside real uploads, of which one is killed ten times.

Two clocks run on one service; one of them is killed, with the jobs that it runs, and started
again. Says for each job how often it ran, how often a run was killed, whether a run came too soon
after one that had finished, and the longest pause; and what the clock that stays takes in memory
and processor. `LTD_TEST_STORE` names the store.
"""

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from credentials.rules.schedule import parse_schedule
from demo.processes import ROOT
from demo.service import Service
from tests.store.stage import DATABASE, prepared_account, service_for
from tests.store.started import store_under_test
from tests.store.test_bootstrap_command import profile
from tests.store.uploader import Uploader

SCHEDULE = (
    "write_revocations=20s,deliver_webhooks=15s,roll_up=1m,audit_sessions=1m,count_builds=90s,"
    "audit_bucket=2m,compact_policies=3m"
)
KILLS = 10
PRODUCT = "handbook"
TICKS = os.sysconf("SC_CLK_TCK")


def clock(service: Service, log: Path) -> subprocess.Popen[bytes]:
    """In a group of its own, with the jobs that it runs."""
    command = [sys.executable, "manage.py", "run_clock"]
    with log.open("ab") as file:
        return subprocess.Popen(
            command, env=service.environment, cwd=ROOT, stderr=file, start_new_session=True
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def upload(uploader: Uploader, store: object, until: threading.Event, done: list[str]) -> None:
    """One job after another: a token, a build, an object, the end."""
    while not until.is_set():
        job = uploader.for_job(PRODUCT)
        build = job.register(PRODUCT)
        s3 = store.client("s3", job.session(build))  # type: ignore[attr-defined]
        s3.put_object(Bucket=build.bucket, Key=f"{build.root}/index.html", Body=b"x")
        job.finish(build)
        job.close()
        done.append(build.slug)
        until.wait(0.5)


def memory(pid: int) -> float:
    """Resident, in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def processor_of_jobs(pid: int) -> float:
    """Seconds that the runs took which a clock's fork server started and that have ended."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    threads = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    children = sorted({each for thread in threads for each in thread} | set(children))
    fields = [
        Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in children
    ]
    return sum(int(each[13]) + int(each[14]) for each in fields) / TICKS


def report(database: Path, every: Mapping[str, timedelta]) -> int:
    """A line for each job; how many runs came too soon."""
    query = """SELECT job, coalesce(store_id, 0), started_at, finished_at, state
        FROM credentials_jobrun ORDER BY id"""
    runs = defaultdict(list)
    with closing(sqlite3.connect(database)) as rows:
        for job, store, began, ended, state in rows.execute(query):
            ends = datetime.fromisoformat(ended) if ended else None
            runs[job, store].append((datetime.fromisoformat(began), ends, state))
    too_many = 0
    for (job, _), its_runs in sorted(runs.items()):
        states = [state for *_, state in its_runs]
        pauses = [(later[0] - earlier[0], earlier) for earlier, later in pairwise(its_runs)]
        soon = sum(pause < every[job] and run[2] == "finished" for pause, run in pauses)
        soon += sum(later[0] < run[1] for run, later in pairwise(its_runs) if run[1])
        too_many += soon
        longest = max((pause for pause, _ in pauses), default=timedelta(0)).total_seconds()
        counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
        print(  # noqa: T201
            f"{job:<18} every {every[job].total_seconds():>4.0f} s: {len(its_runs):>3} runs "
            f"({counts}), too soon or two at once: {soon}, longest pause {longest:.0f} s"
        )
    missing = sorted(set(every) - {job for job, _ in runs})
    print(f"never ran: {', '.join(missing) or 'none'}")  # noqa: T201
    return too_many


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=15)
    minutes = parser.parse_args().minutes
    every = {job.command: job.interval for job in parse_schedule(SCHEDULE)}
    with tempfile.TemporaryDirectory() as name, store_under_test() as store:
        folder = Path(name)
        keys = folder / "credentials"
        keys.write_text(profile("operator", store.operator))
        settings = {
            "AWS_SHARED_CREDENTIALS_FILE": str(keys),
            "LTD_REVOKER_PROFILE": "operator",
            "LTD_AUDITOR_PROFILE": "operator",
            "LTD_SCHEDULE": SCHEDULE,
            "LTD_SESSIONS_AN_HOUR": "1000000",
        }
        with (
            prepared_account(store) as account,
            service_for(account, folder, **settings) as service,
        ):
            key = service.new_client("ci")
            service.wait_until_it_answers()
            uploader = Uploader(service.url, api_key=key, store=account.row.name)
            uploader.create_product(PRODUCT)
            stop, done = threading.Event(), []  # type: ignore[var-annotated]
            thread = threading.Thread(target=upload, args=(uploader, store, stop, done))
            thread.start()
            first, second = (clock(service, folder / "clocks.log") for _ in range(2))
            seen = []
            for _ in range(KILLS):
                time.sleep(minutes * 60 / (KILLS + 1))
                seen.append(memory(first.pid))
                kill(second)
                second = clock(service, folder / "clocks.log")
            time.sleep(minutes * 60 / (KILLS + 1))
            seen.append(memory(first.pid))
            seconds = processor_of_jobs(first.pid)
            ended = Path(folder / "clocks.log").read_text().count('"job_ended"')
            for each in (first, second):
                each.terminate()
            codes = [each.wait() for each in (first, second)]
            stop.set()
            thread.join()
            uploader.close()
            print(f"{store.kind} {store.version}: {len(done)} uploads, {KILLS} kills")  # noqa: T201
            too_many = report(folder / DATABASE, every)
            print(  # noqa: T201
                f"clock that stayed: {', '.join(f'{each:.0f}' for each in seen)} MB; its jobs took "
                f"{seconds:.1f} s of processor, of {ended} runs of both; ended with {codes}"
            )
    sys.exit(bool(too_many))


if __name__ == "__main__":
    main()
