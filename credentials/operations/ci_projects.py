"""The numbers that identify a repository or project, from its CI provider's API.

Sources: GitHub, "Get a repository" (docs.github.com/rest/repos/repos); GitLab, "Get a single
project" (docs.gitlab.com/api/projects).
"""

from typing import Any, NamedTuple
from urllib.parse import quote

import orjson
import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from credentials.rules.publishers import IssuerKind, is_https_address

TIMEOUT_SECONDS = 10
MOST_BYTES = 2 * 1024 * 1024
LOOPBACK = ("127.0.0.1", "[::1]", "localhost")


class Api(NamedTuple):
    """Where a kind of provider says what a project is, and the header that a token goes into."""

    address: str
    path: str
    header: str
    scheme: str


APIS = {
    IssuerKind.GITHUB: Api("https://api.github.com", "/repos/{}", "Authorization", "Bearer "),
    IssuerKind.GITLAB: Api("https://gitlab.com/api/v4", "/projects/{}", "PRIVATE-TOKEN", ""),
}


class ProjectLookupError(Exception):
    """The provider did not say what identifies the project; the message says why."""


def project_conditions(
    kind: IssuerKind, project: str, *, api: str = "", token: str = ""
) -> dict[str, list[str]]:
    """The identifying conditions of `OWNER/REPO` or `GROUP/PROJECT`. Raises ProjectLookupError.

    `api` is another API's address; `token` is needed for what is not public.
    """
    found = _get(kind, project, api=api, token=token)
    try:
        if kind is IssuerKind.GITHUB:
            return {
                "repository_id": [_number(found["id"])],
                "repository_owner_id": [_number(found["owner"]["id"])],
            }
        return {"project_id": [_number(found["id"])]}
    except (KeyError, TypeError, ValueError) as err:
        raise ProjectLookupError(f"{project}: the response holds no number.") from err


def _get(kind: IssuerKind, project: str, *, api: str, token: str) -> Any:
    at = APIS[kind]
    safe = "/" if kind is IssuerKind.GITHUB else ""
    url = (api or at.address).rstrip("/") + at.path.format(quote(project, safe=safe))
    headers = {"Accept": "application/json", "User-Agent": "ltdkeeper"}
    try:
        if token:
            if not is_https_address(url) and parse_url(url).host not in LOOPBACK:
                raise ProjectLookupError(f"{url} is not https, and a token is sent to no other.")
            headers[at.header] = at.scheme + token
        answer = urllib3.request(
            "GET",
            url,
            headers=headers,
            timeout=TIMEOUT_SECONDS,
            redirect=False,
            retries=False,
            preload_content=False,
        )
        body = answer.read(MOST_BYTES + 1, decode_content=True)
    except HTTPError as err:
        raise ProjectLookupError(f"{url}: no response ({type(err).__name__}).") from err
    if answer.status != 200:  # noqa: PLR2004
        hint = " Is it private? Then a token is needed." if answer.status == 404 else ""  # noqa: PLR2004
        raise ProjectLookupError(f"{url}: status {answer.status}.{hint}")
    if len(body) > MOST_BYTES:
        raise ProjectLookupError(f"{url}: the response is too large.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as err:
        raise ProjectLookupError(f"{url}: the response is not JSON.") from err


def _number(value: object) -> str:
    if type(value) is not int or value < 1:
        raise ValueError(value)
    return str(value)
