# ruff: noqa: SLF001 - the seams of the store are private names, checked by its exact version
"""MiniStack with its root hole closed: the store's application behind its guard.

Imported by the store's own process only, under `.venv-store`.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

from demo.guard import App, Guard, close_root, current_caller
from demo.presented import Caller, is_signed_form

# The guard's rules come from reading this version; another one must be read first.
READ_VERSION = "1.5.33"
# Enforce policies, serve three services, listen nowhere else, touch no container engine.
SETTINGS = {
    "AUTH": "true",
    "SERVICES": "s3,sts,iam",
    "PERSIST_STATE": "0",
    "S3_PERSIST": "0",
    "SFTP_ENABLED": "0",
    "IOT_MTLS_ENABLED": "0",
    "DOCKER_HOST": "unix:///nonexistent",
    "LOG_LEVEL": "WARNING",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def closed_store(bootstrap: str) -> App:
    """The application for one process. Raises when it is not the version that the guard knows."""
    os.environ.update(SETTINGS)
    if (installed := version("ministack")) != READ_VERSION:
        raise RuntimeError(f"ministack {installed} is installed, {READ_VERSION} is expected")
    app = importlib.import_module("ministack.app")
    s3 = importlib.import_module("ministack.services.s3")
    importlib.import_module("ministack.services.sts")
    importlib.import_module("ministack.services.iam")
    evaluator = importlib.import_module("ministack.core.iam_evaluator")
    actions = importlib.import_module("ministack.core.iam_actions")
    _replace_everywhere(evaluator.is_root_access_key, close_root(evaluator.is_root_access_key))
    _replace_everywhere(s3._post_object, _only_signed_forms(s3))
    _replace_everywhere(actions.extract_resource_arn, _exact_keys(s3, actions))
    return Guard(
        app.app,
        bootstrap=bootstrap,
        has_bucket=lambda name: s3._bucket_owner_account(name) is not None,
    )


def _replace_everywhere(original: Callable[..., Any], replacement: Callable[..., Any]) -> None:
    """Replace a function in every module of the store that holds it under some name."""
    for module, name in list(_holders(original)):
        setattr(module, name, replacement)
    if list(_holders(original)):
        raise RuntimeError(f"{original.__qualname__} is still in use")


def _holders(original: Callable[..., Any]) -> Iterator[tuple[Any, str]]:
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("ministack"):
            yield from ((module, name) for name, value in vars(module).items() if value is original)


def _only_signed_forms(s3: Any) -> Callable[..., Any]:
    """S3's form upload, refused unless the form names exactly one user's or session's key.

    It reads the form with the store's own parser, from the very bytes that the store will use.
    """
    post_object = s3._post_object

    def post_signed_object(bucket_name: str, body: bytes, headers: dict[str, str]) -> Any:
        parts = s3._parse_multipart_form(headers.get("content-type", ""), body)
        signed = is_signed_form((name, value) for name, _file, _headers, value in parts)
        if signed or current_caller.get() is Caller.ADMIN:
            return post_object(bucket_name, body, headers)
        return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket_name}")

    return post_signed_object


def _exact_keys(s3: Any, actions: Any) -> Callable[..., Any]:
    """The resource of a request, with an object's key as it will be stored.

    The store itself authorizes `a//builds/x` as `a/builds/x` and then writes `a//builds/x`.
    """
    extract_resource_arn = actions.extract_resource_arn

    def resource_arn(service: str, method: str, path: str, *rest: Any) -> Any:
        bucket, key = s3._parse_bucket_key(path, {}) if service == "s3" else ("", "")
        if key:
            return f"arn:aws:s3:::{bucket}/{key}"
        return extract_resource_arn(service, method, path, *rest)

    return resource_arn
