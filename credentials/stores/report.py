"""How a set-up is told: lines for people, one document for machines. Pure but for the types.

New secret keys are in both, since they can be shown only now.
"""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from credentials.stores.bootstrap import Report
from credentials.stores.outcomes import Status

NOTHING_CHANGED = "Nothing had to be changed."
NOTHING_DONE = "Nothing was changed: --apply does it."
NO_API = (
    "the upload role and its rights are not supported here; use the store's own tools, with these "
    "documents."
)


def text_lines(report: Report) -> Iterator[str]:
    """Each step with its reason, then the keys, then one sentence on the whole."""
    for outcome in report.outcomes:
        yield f"{outcome.status.value:<14} {outcome.what}"
        yield f"{'':<14} {outcome.why}"
        if outcome.detail:
            yield f"{'':<14} ! {outcome.detail}"
    if not report.has_api:
        for name, document in report.documents.items():
            yield f"The document named {name}:"
            yield f"  {document}"
    for name, key in report.keys.items():
        yield f"The key of the {name}, shown only now:"
        yield f"  AWS_ACCESS_KEY_ID={key.access_key_id}"
        yield f"  AWS_SECRET_ACCESS_KEY={key.secret_access_key.reveal()}"
    yield _summary(report)


def json_document(report: Report, **error: str) -> str:
    """One object: the steps, the policy documents, the new keys, and why a run broke off."""
    document: dict[str, Any] = {
        "store": report.store_name,
        "applied": report.applied,
        "changed": report.has_changed,
        "failed": report.has_failed,
        "supported": report.has_api,
        "steps": report.outcomes,
        "documents": {name: json.loads(text) for name, text in report.documents.items()},
        "keys": {
            name: {
                "access_key_id": key.access_key_id,
                "secret_access_key": key.secret_access_key.reveal(),
            }
            for name, key in report.keys.items()
        },
    }
    return orjson.dumps(document | error, option=orjson.OPT_INDENT_2).decode()


def _summary(report: Report) -> str:
    if report.has_failed:
        return f"Store {report.store_name}: not complete. Mend what failed, then run it again."
    if not report.has_api:
        would = {Status.WOULD_MAKE, Status.WOULD_CHANGE}
        rest = any(outcome.status in would for outcome in report.outcomes)
        return f"Store {report.store_name}: {NO_API}{' --apply does the rest.' if rest else ''}"
    if not report.applied:
        return f"Store {report.store_name}: {NOTHING_DONE}"
    return f"Store {report.store_name}: {'set up.' if report.has_changed else NOTHING_CHANGED}"
