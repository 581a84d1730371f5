"""A bug is an edit: one text, found exactly once, becomes another."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Bug:
    """`old` becomes `new` in `path`; `judges` are the narrowest test files,
    or single tests, that have to notice."""

    path: str
    old: str
    new: str
    judges: tuple[str, ...]


def bugs_in(path: str, judges: str | tuple[str, ...], **edits: tuple[str, str]) -> dict[str, Bug]:
    """Bugs of one file by name, underscores read as spaces; each edit is `(old, new)`."""
    told = (judges,) if isinstance(judges, str) else judges
    return {
        name.replace("_", " "): Bug(path=path, old=old, new=new, judges=told)
        for name, (old, new) in edits.items()
    }
