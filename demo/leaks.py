"""Looks for secrets where none may be."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote


def leaks(*, secrets: Mapping[str, str], files: Iterable[Path]) -> list[str]:
    """Which named secrets stand in which files, as they are or as part of an address."""
    found = []
    for file in files:
        content = file.read_bytes()
        for name, secret in secrets.items():
            if any(spelling in content for spelling in _spellings(secret)):
                found.append(f"{name} stands in {file.name}")
    return found


def _spellings(secret: str) -> set[bytes]:
    return {secret.encode(), quote(secret, safe="").encode()}
