"""Cells of the admin's lists that say which column they are of, for screens without columns."""

from collections.abc import Iterable, Iterator
from typing import Any

from django import template
from django.utils.html import conditional_escape, escape, strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

register = template.Library()


@register.filter
def labelled(cells: Iterable[SafeString], headers: list[dict[str, Any]]) -> Iterator[SafeString]:
    """Django's cells of a row, each with the title of its column as `data-label`."""
    for cell, header in zip(cells, headers, strict=True):
        title = escape(capfirst(strip_tags(header["text"])))
        tag, space, rest = conditional_escape(cell).partition(" ")
        label = f'data-label="{title}" ' if title else ""
        yield mark_safe(f"{tag}{space}{label}{rest}")  # noqa: S308 - escaped above
