"""`make demo`: the main job once, over real HTTP and real S3, and what its credentials cannot do.

Registers a build, asks for its credentials, uploads a documentation site, finishes the build; then
checks what a build's credentials reach on this store. Exit code 0 only if the site arrived whole,
every call outside a build was refused and no secret was kept.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from demo.job import PRODUCT, Keeper, Published, SiteFile, begin_site, differences, upload_site
from demo.processes import DemoError, Interrupted, WorkFolder, enter_bare_environment, orderly_end
from demo.service import CLIENT, STORE_NAME, Embedded, embedded_service, free_port


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--site", help="a folder to upload instead of the project's own docs")
    site = arguments.parse_args().site or os.environ.get("SITE", "")
    folder = WorkFolder("play")
    enter_bare_environment()
    started = time.monotonic()
    try:
        with orderly_end(), folder.opened():
            problems = play(folder=folder, site=site)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print("demo: stopped", file=sys.stderr)
        return interrupted.exit_code
    if not problems:
        print("\nEvery file arrived as it is on disk, every call outside the build was refused,")
        print("and no secret handed out stands in the database or the log.")
    for problem in problems:
        print(f"PROBLEM  {problem}")
    print(f"{time.monotonic() - started:.1f} seconds in all.")
    return 1 if problems else 0


def play(*, folder: WorkFolder, site: str) -> list[str]:
    """Set up, publish, check, look for secrets, take down; what is not as it must be.

    Raises DemoError when a step fails.
    """
    with begin_site(folder=folder, site=site) as finished_site:
        _say("Starting the embedded store and the service")
        with embedded_service(folder=folder, port=free_port()) as embedded:
            files = finished_site()
            _say(f"Uploading {len(files)} files")
            published = _publish(embedded, files)
            _say("Making the calls that a build's credentials must, and must not, be able to make")
            is_isolated, calls = embedded.service.check_isolation()
            print(calls)
            print_facts(site=site or "docs/", files=files, published=published)
            ledger = embedded.service.manage("find", published.credentials["AccessKeyId"])
            print(ledger, end="")
            reader = embedded.store.client("s3", **asdict(embedded.reader))
            problems = [
                *problems_of(published, files=files, is_isolated=is_isolated),
                *differences(reader, published.build, files),
            ]
            secrets = secrets_of(embedded, published)
            kept = leaks(secrets=secrets, files=folder.written_files())
    # Once more, now that nobody writes any longer.
    kept += leaks(secrets=secrets, files=folder.written_files())
    return [*problems, *sorted(set(kept))]


def problems_of(published: Published, *, files: list[SiteFile], is_isolated: bool) -> list[str]:
    """What the service and the check of isolation say otherwise than they should."""
    problems = []
    counted = published.build["object_count"], published.build["byte_count"]
    # The service counts what it can see in one page of a listing; beyond that, nothing.
    if counted not in {(None, None), (len(files), sum(file.size for file in files))}:
        problems.append(f"The service counted {counted[0]} files and {counted[1]} bytes.")
    if not is_isolated:
        problems.append("The store was not seen to keep builds apart; the calls above say where.")
    return problems


def secrets_of(embedded: Embedded, published: Published) -> dict[str, str]:
    """What was handed out, and what the service was given, by name: none may be kept."""
    return {
        "the API key": embedded.api_key,
        "the vendor's secret key": embedded.vendor.secret_access_key,
        "the build's secret key": published.credentials["SecretAccessKey"],
        "the build's session token": published.credentials["SessionToken"],
    }


def leaks(*, secrets: Mapping[str, str], files: Iterable[Path]) -> list[str]:
    """Which named secrets stand in which files, as they are or as part of an address."""
    found = []
    for file in files:
        content = file.read_bytes()
        for name, secret in secrets.items():
            spellings = {secret.encode(), quote(secret, safe="").encode()}
            if any(spelling in content for spelling in spellings):
                found.append(f"{name} stands in {file.name}")
    return found


def print_facts(*, site: str, files: list[SiteFile], published: Published) -> None:
    build = published.build
    facts = {
        "site": site,
        "files": f"{len(files):,} in {published.upload_seconds:.1f} s",
        "bytes": f"{sum(file.size for file in files):,}",
        "root": f"s3://{build['bucket_name']}/{build['bucket_root_dir']}/",
    }
    print(f"upload to {PRODUCT}")
    for name, value in facts.items():
        print(f"  {name:<14} {value}")


def _publish(embedded: Embedded, files: list[SiteFile]) -> Published:
    keeper = Keeper(embedded.service.url, client=CLIENT, api_key=embedded.api_key)
    keeper.create_product(store=STORE_NAME)
    return keeper.publish(PRODUCT, lambda s3, build: upload_site(s3, build, files))


def _say(what: str) -> None:
    print(f"{what} ...", flush=True)


if __name__ == "__main__":
    sys.exit(main())
