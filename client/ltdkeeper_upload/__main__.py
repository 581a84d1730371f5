"""`ltdkeeper-upload FOLDER --product SLUG`: register, upload, finish."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

import ltdkeeper_upload
from ltdkeeper_upload.keeper import (
    FAILED,
    REFUSED,
    USAGE,
    Failure,
    Keeper,
    authenticated,
    first_of,
    say,
)
from ltdkeeper_upload.upload import files_below, only_site, upload

# As the service signs it for uploads without an SDK: a build's root is never used again.
CACHE_CONTROL = "max-age=31536000"
REF_VARIABLES = ["CI_MERGE_REQUEST_REF_PATH", "CI_COMMIT_REF_NAME", "CIRCLE_BRANCH", "CIRCLE_TAG"]
REF_VARIABLES += ["BUILDKITE_BRANCH", "BITBUCKET_BRANCH", "BITBUCKET_TAG", "GITHUB_REF_NAME"]


def arguments(environment: Mapping[str, str]) -> ArgumentParser:
    """The command line; variables of the environment are its defaults."""
    parser = ArgumentParser("ltdkeeper-upload", "%(prog)s [FOLDER] [options]", __doc__)
    add = parser.add_argument
    add("folder", nargs="?", help="the site (default: the only one at a usual place)")
    keeper = first_of(environment, "LTDKEEPER_URL", "LTD_HOST")
    add("--keeper", metavar="URL", default=keeper, required=not keeper, help="or $LTDKEEPER_URL")
    product = first_of(environment, "LTDKEEPER_PRODUCT", "LTD_PRODUCT")
    which = "the product ($LTDKEEPER_PRODUCT; default: the only one that the job's identity opens)"
    add("--product", metavar="SLUG", default=product, help=which)
    add("--git-ref", metavar="REF", action="append", help="repeatable (default: the CI job's)")
    either = parser.add_mutually_exclusive_group().add_argument
    either("--build", metavar="URL", help="continue this open build; skip what it has already")
    either("--check", action="store_true", help="try everything but the upload; delete the build")
    either("--delete", metavar="REF", help="delete the builds of a branch or pull request instead")
    add("--yes", action="store_true", help="confirm --delete, which API keys need to")
    add("--cache-control", default=CACHE_CONTROL, help="of every file (default: %(default)s)")
    add("--through-service", action="store_true", help="send files to the service, not the store")
    add("--jobs", type=int, default=10, help="uploads at once (default: %(default)s)")
    add("--format", choices=["text", "json"], default="text", help="of the result")
    add("--version", action="version", version=ltdkeeper_upload.__version__)
    return parser


def git_ref(environment: Mapping[str, str]) -> str:
    """What the CI job builds. A pull request goes by its number, since branches share names."""
    ref = environment.get("GITHUB_REF", "")
    ref = ref if ref.startswith("refs/pull/") else first_of(environment, *REF_VARIABLES)
    if ref:
        return ref
    raise Failure("Name the branch or tag with --git-ref.", USAGE)


@contextmanager
def open_build(
    keeper: Keeper, options: Namespace, refs: list[str], *, own_token: bool
) -> Iterator[dict[str, Any]]:
    """The build to upload to. After a failure it is deleted if no other run could continue it."""
    if options.build:
        yield keeper.call("GET", options.build)
        return
    build = keeper.call("POST", f"/products/{keeper.product}/builds/", {"git_refs": refs})
    say(f"Registered a build of {keeper.product}: {build['self_url']}")
    try:
        yield build
    except BaseException:
        if own_token or options.check:
            with suppress(Failure):
                keeper.call("DELETE", build["self_url"], attempts=1)
        else:
            say(f"To continue this build, add --build {build['self_url']}")
        raise


def run(options: Namespace, keeper: Keeper, environment: Mapping[str, str]) -> dict[str, Any]:
    """The result, as `--format json` prints it. Raises Failure and what boto3 raises."""
    folder = options.folder or only_site()
    files = files_below(Path(folder))
    refs = [] if options.build else options.git_ref or [git_ref(environment)]
    with (
        authenticated(keeper, options.product, environment) as own_token,
        open_build(keeper, options, refs, own_token=own_token) as build,
    ):
        put = upload(keeper, build, files, options)
        method, body = ("DELETE", None) if options.check else ("PATCH", {"uploaded": True})
        ended = keeper.call(method, build["self_url"], body)
    result = {name: ended[name] for name in ("published_url", "state", "warning")}
    count = ended["object_count"] or len(files)
    finished = f"Finished: {count:,} object{'s' * (count != 1)} from {folder}"
    say("Everything but the upload works. The build is deleted." if options.check else finished)
    if result["warning"]:
        say(f"Warning: {result['warning']}")
    return result | {"build_url": ended["self_url"], "object_count": count, "uploaded_count": put}


def delete(options: Namespace, keeper: Keeper, environment: Mapping[str, str]) -> dict[str, Any]:
    """Delete every finished build of a branch, tag or pull request; the result. Raises Failure."""
    count, kept, query = 0, 0, urlencode({"git_ref": options.delete, "state": "finished"})
    with authenticated(keeper, options.product, environment) as own_token:
        if not (own_token or options.yes):
            raise Failure(f"Confirm with --yes that all builds of {options.delete} go.", USAGE)
        page: dict[str, Any] = {"next": f"/products/{keeper.product}/builds/?{query}"}
        while page["next"] and (page := keeper.call("GET", page["next"])):
            for url in page["builds"]:
                say(f"Deleting {url}")
                try:
                    keeper.call("DELETE", url)
                    count += 1
                except Failure as failure:  # one that another client registered, for example
                    if failure.code != REFUSED:
                        raise
                    say(failure)
                    kept += 1
    say(f"Deleted {count or 'no finished'} build{'s' * (count != 1)} of {options.delete}")
    if kept:
        raise Failure(f"Not deleted: {kept}, for the reasons above.", REFUSED)
    return {"deleted_count": count}


def main(argv: Sequence[str] | None = None) -> int:
    """The program; its exit code. Standard output is the address to look at, or JSON."""
    parser = arguments(os.environ)
    options = parser.parse_args(argv)
    if not re.fullmatch("[a-z0-9-]*", options.product):
        parser.error(f"{options.product!r} is not the name of a product, such as user-guide")
    if "" in (options.build, options.delete):
        parser.error("--build and --delete must not be empty: a variable is not set")
    if options.jobs < 1:
        parser.error("--jobs takes a number from 1 on")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        result = (delete if options.delete else run)(options, Keeper(options.keeper), os.environ)
    except Failure as failure:
        say(failure)
        return failure.code
    except (Boto3Error, BotoCoreError, ClientError, OSError, UnicodeError) as err:
        say(f"The upload failed: {err}")
        return FAILED
    except KeyboardInterrupt:
        say("Interrupted.")
        return 128 + signal.SIGINT
    address = "" if options.check else result.get("published_url") or result.get("build_url")
    if printed := json.dumps(result) if options.format == "json" else address:
        sys.stdout.write(f"{printed}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
