"""What somebody might send or write into a file, and how many of it a test tries.

Each run tries the same inputs. `FUZZ_EXAMPLES=2000`, as in `make fuzz`, tries so many of each kind,
others each time.
"""

import base64
import json
import os
from typing import Any

from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def trying(examples: int) -> hypothesis_settings:
    return hypothesis_settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],  # a statement that failed spoils those after it
        suppress_health_check=list(HealthCheck),
    )


fuzzed = trying(100)

HOSTILE = [
    "", "\0", "a\0b", "\0" * 9, "\ud800", "\udfff\ud800", "\uffff", "\U0010ffff", "\u202e", "\x85",
    "\xff", "9" * 19, "9" * 30, "9" * 4400, "-1", "0", "00", "1.5", "1e999", "nan", "\u0663",
    "null", "true", "[", "{}", "'", '"', "\\", "%", "%00", "%2e%2e", "../..", "//x", "[::1", "@",
    "a,b", "a;b", "=", "&", "*", "$", "${x}", "guide", "main", "x" * 256, "a\r\nb", "\u00fc" * 9000,
]  # fmt: skip
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=30)
NUMBERS = (
    st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400, 1e308, float("inf")]) | st.integers()
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def encoded_part(value: Any) -> str:
    """A part of an identity token."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()
