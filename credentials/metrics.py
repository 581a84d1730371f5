"""What is counted about credentials, for `/metrics`. Never a label that callers choose."""

from prometheus_client import Counter

refreshes = Counter(
    "ltdkeeper_refreshes",
    "Answers to SDKs that refresh. source: memory (served again), sts (issued for it), waited "
    "(issued for another that asked at the same time), none (it took too long).",
    ["source"],
)
