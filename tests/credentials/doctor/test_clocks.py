"""How far this machine's clock may be from the store's."""

import pytest

from credentials.doctor.clocks import judge_clock
from credentials.doctor.findings import Severity

# seconds ahead of the store -> severity, and which way
SKEWS: dict[float, tuple[Severity, str] | None] = {
    0: None,
    60: None,
    -60: None,
    61: (Severity.WARNING, "61 s ahead of the store's"),
    -61: (Severity.WARNING, "61 s behind the store's"),
    240: (Severity.WARNING, "240 s ahead of"),
    241: (Severity.ERROR, "241 s ahead of"),
    -100_000: (Severity.ERROR, "100000 s behind"),
}


@pytest.mark.parametrize("ahead", SKEWS)
def test_skew_is_judged(ahead: float) -> None:
    findings = list(judge_clock(ahead))
    if (expected := SKEWS[ahead]) is None:
        assert findings == []
        return
    assert findings[0].severity is expected[0]
    assert expected[1] in findings[0].what
