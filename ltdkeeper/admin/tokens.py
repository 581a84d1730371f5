"""From a token's name in the ledger to its rows, and to the CI job that held it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.db.models import Value
from django.utils.html import format_html, format_html_join

from credentials.models import AccessToken, ApiKey, JobToken
from credentials.rules.tokens import TokenKind
from ltdkeeper.admin.links import lines, link, page_address


class TokenRows(NamedTuple):
    """The rows of the tokens in a name such as `ltdk_.../ltdj_...`."""

    api_key: ApiKey | None
    job_token: JobToken | None


def token_rows(token_name: str) -> TokenRows:
    """By their public ids. Access tokens have no page, and are removed when they have expired."""
    ids = dict(name.split("_", 1) for name in token_name.split("/") if "_" in name)
    key, job = ids.get(TokenKind.API_KEY), ids.get(TokenKind.JOB_TOKEN)
    jobs = JobToken.objects.select_related("publisher__issuer", "ci_job")
    return TokenRows(
        api_key=ApiKey.objects.filter(public_id=key).first() if key else None,
        job_token=jobs.filter(public_id=job).first() if job else None,
    )


def token_pages(names: Iterable[str]) -> dict[str, str]:
    """Name -> page of the tokens that exist, in one statement; of an access token its key's."""
    ids = [name.partition("_")[2] for name in names]
    keys, tokens, jobs = (
        model.objects.order_by()
        .filter(public_id__in=ids)
        .values_list(Value(kind.value), "public_id", pk)
        for model, kind, pk in (
            (ApiKey, TokenKind.API_KEY, "pk"),
            (AccessToken, TokenKind.ACCESS_TOKEN, "api_key"),
            (JobToken, TokenKind.JOB_TOKEN, "pk"),
        )
    )
    return {
        f"{kind}_{public_id}": page_address(
            JobToken(pk=pk) if kind == TokenKind.JOB_TOKEN else ApiKey(pk=pk)
        )
        for kind, public_id, pk in keys.union(tokens, jobs, all=True)
    }


def linked_token(token_name: str) -> str:
    """The name, each token in it a link to its page."""
    rows = token_rows(token_name)
    pages = {row.token_name: row for row in rows if row}
    names = ((link(pages.get(name), name),) for name in token_name.split("/"))
    return format_html_join(" / ", "{}", names)


def ci_job(token: JobToken | None) -> str:
    """The job that held a token: as its provider signed it, with a link to its run."""
    if token is None:
        return "not known: the caller sent an API key"
    if token.publisher is None:
        return "not known: the token was requested with an API key"
    return lines(_facts(token))


def _facts(token: JobToken) -> Iterator[str]:
    job = getattr(token, "ci_job", None)
    if job is None:
        yield token.identity
        return
    facts = {
        "repository": job.repository,
        "workflow": job.workflow,
        "run": job.run_id or job.run_number,
        "commit": job.commit,
        "branch or tag": job.ref,
    }
    yield from (f"{name} {text}" for name, text in facts.items() if text)
    if address := job.address:
        yield format_html('<a href="{}" rel="noreferrer">{}</a>', address, address)
    yield f"as the provider described it: {token.identity}"
