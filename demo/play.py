"""`make demo`: the main job once, over real HTTP and real S3, and what its credentials cannot do.

Registers a build, asks for its credentials, uploads a documentation site, finishes the build; then
tries the same credentials where they have no business. Exit code 0 only if the site arrived
whole, every attempt was refused and no secret was kept.
"""

import argparse
import os
import sys
import time

from demo.environment import enter_bare_environment
from demo.errors import DemoError, Interrupted
from demo.folder import WorkFolder
from demo.leaks import leaks
from demo.performance import perform
from demo.report import Findings, print_report
from demo.service import free_port
from demo.signals import ending_in_order
from demo.site import begin_site
from demo.stage import embedded_stage


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--site", help="a folder to upload instead of the project's own docs")
    site = arguments.parse_args().site or os.environ.get("SITE", "")
    folder = WorkFolder("play")
    enter_bare_environment()
    try:
        with ending_in_order(), folder.opened():
            findings = play(folder=folder, site=site)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except Interrupted as interrupted:
        print("demo: stopped", file=sys.stderr)
        return interrupted.exit_code
    print_report(findings)
    return 1 if findings.problems else 0


def play(*, folder: WorkFolder, site: str) -> Findings:
    """Set up, perform, look for secrets, take down. Raises DemoError when a step fails."""
    started = time.monotonic()
    with begin_site(folder=folder, site=site) as finished_site:
        _say("Starting the embedded store and the service")
        with embedded_stage(folder=folder, port=free_port()) as stage:
            files = finished_site()
            _say(f"Uploading {len(files)} files, then trying the same credentials elsewhere")
            performance = perform(stage=stage, files=files)
            kept = leaks(secrets=performance.secrets, files=folder.written_files())
    # Once more, now that nobody writes any longer.
    kept += leaks(secrets=performance.secrets, files=folder.written_files())
    return Findings(
        site=site or "docs/",
        performance=performance,
        problems=[*performance.problems, *sorted(set(kept))],
        seconds=time.monotonic() - started,
    )


def _say(what: str) -> None:
    print(f"{what} ...", flush=True)


if __name__ == "__main__":
    sys.exit(main())
