"""Every page of the admin, from the site's own URL patterns: a new one is looked at by itself."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, URLResolver, reverse

from tests.browser import Rows

NO_PAGES = {
    "export": "a file",
    "oidc_sign_in": "leads to the issuer",
    "oidc_callback": "comes from the issuer",
    "logout": "only POST",
    "jsi18n": "a script",
    "autocomplete": "JSON",
    "view_on_site": "leads elsewhere",
}
# What can be revoked: its kind, and whose rows it is.
REVOCABLE = {
    "session": "credentials_issuedsession",
    "build": "builds_build",
    "job_token": "credentials_jobtoken",
    "api_key": "credentials_apikey",
    "client": "credentials_client",
    "product": "builds_product",
    "store": "builds_store",
}
ENDED = ("build", "job_token", "api_key", "client")
KEYS = {"object_id", "id"}
# Addresses of a page that show more of it than its bare address does.
QUERIES = {
    "changelist": ["", "?q=nothing-like-it"],
    "credentials_trustedpublisher_add": ["", "?issuer=1", "?issuer=2"],
}


def patterns_by_name() -> dict[str, URLPattern]:
    """The named patterns of the admin that answer with a page."""
    patterns, _app, _namespace = admin.site.urls
    return {
        pattern.name: pattern
        for pattern in _flat(patterns)
        if pattern.name and not pattern.name.endswith(tuple(NO_PAGES))
    }


def _flat(patterns: Sequence[Any]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _flat(pattern.url_patterns)
        else:
            yield pattern


def parameters_of(pattern: URLPattern) -> set[str]:
    """The names of what a pattern takes from the address."""
    groups = re.compile(pattern.pattern.regex.pattern).groupindex  # type: ignore[union-attr]
    return set(groups)


def addresses_of(name: str, rows: Rows) -> list[str]:
    """Where the pages of a pattern are, for the rows to look at."""
    if name in SPECIAL:
        return SPECIAL[name](rows)
    queries = QUERIES.get(name) or QUERIES.get(name.rpartition("_")[2]) or [""]
    paths = [reverse(f"admin:{name}", kwargs=each) for each in _arguments(name, rows)]
    return [f"{path}{query}" for path in paths for query in queries]


def _arguments(name: str, rows: Rows) -> Sequence[Mapping[str, str]]:
    parameters = parameters_of(patterns_by_name()[name])
    if not parameters:
        return [{}]
    [parameter] = parameters & KEYS
    keys = rows[_model_of(name)]
    shown = keys if name.endswith("_change") else keys[:1]
    return [{parameter: key} for key in shown]


def _selected(view: str, kind: str, rows: Rows) -> str:
    """A page about rows that were selected in a list."""
    query = "&".join(f"key={key}" for key in rows[REVOCABLE[kind]])
    return f"{reverse(f'admin:{view}', args=[kind])}?{query}"


# Those that take something else than the primary key of their model's row.
SPECIAL: dict[str, Callable[[Rows], list[str]]] = {
    "app_list": lambda _rows: [
        reverse("admin:app_list", args=[app]) for app in ("builds", "credentials", "auth")
    ],
    "revoke": lambda rows: [
        reverse("admin:revoke", args=[kind, rows[model][0]]) for kind, model in REVOCABLE.items()
    ],
    "revoke_selected": lambda rows: [_selected("revoke_selected", "session", rows)],
    "end": lambda rows: [_selected("end", kind, rows) for kind in ENDED],
}


def _model_of(name: str) -> str:
    """`app_model` of a pattern that is named `app_model_page`."""
    [model] = [each for each in models() if name.startswith(f"{each}_")]
    return model


def models() -> dict[str, type[Any]]:
    """The models that the admin has pages for, by `app_model`."""
    registered = admin.site._registry
    return {f"{model._meta.app_label}_{model._meta.model_name}": model for model in registered}
