"""Where a caller came from."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The address and the user agent that the ledger keeps."""

    address: str = ""
    agent: str = ""
