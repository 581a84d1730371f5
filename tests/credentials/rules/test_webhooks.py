"""How webhooks are signed, when they are tried again, and where they may lead."""

from datetime import UTC, datetime, timedelta

from credentials.rules.secret import Secret
from credentials.rules.webhooks import gap_after, is_public, may_connect, signed_headers

SENT_AT = datetime.fromtimestamp(1614265330, UTC)
# The test vector that the libraries of Standard Webhooks share.
SECRET = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
EVENT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_headers_are_those_of_standard_webhooks() -> None:
    headers = signed_headers(secrets=[SECRET], event_id=EVENT, sent_at=SENT_AT, body=BODY)
    assert headers == {
        "webhook-id": EVENT,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_each_secret_gives_a_signature() -> None:
    secrets = [Secret("whsec_AAAA"), SECRET]
    headers = signed_headers(secrets=secrets, event_id=EVENT, sent_at=SENT_AT, body=BODY)
    first, second = headers["webhook-signature"].split(" ")
    assert first.startswith("v1,")
    assert first != second == SIGNATURE


GAPS = [5, 20, 80, 320, 1280, 5120, 20480, 43200, 43200]


def test_gaps_grow_to_half_a_day() -> None:
    found = [gap_after(attempts, spread=0).total_seconds() for attempts in range(1, 10)]
    assert found == GAPS
    assert gap_after(10**6, spread=0) == timedelta(hours=12)


def test_gap_is_spread_by_a_fifth() -> None:
    assert gap_after(1, spread=0.5) == timedelta(seconds=5.5)
    assert gap_after(1, spread=1) == timedelta(seconds=6)


INTERNAL = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1", "0.0.0.0"),  # noqa: S104
    *("169.254.169.254", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255", "192.0.2.1"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "ff0e::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    *("fec0::2", "::127.0.0.1", "::ffff:0:127.0.0.1", "4000::1"),  # outside 2000::/3
    *("2002:7f00:1::", "2001:0:5db8:d822::5601:5601"),  # 6to4 and Teredo of internal addresses
]
PUBLIC = ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]


def test_public_is_what_no_internal_network_has() -> None:
    found = {address: is_public(address) for address in [*INTERNAL, *PUBLIC]}
    assert found == dict.fromkeys(INTERNAL, False) | dict.fromkeys(PUBLIC, True)


def test_address_that_carries_a_public_one_is_public() -> None:
    assert is_public("2001:0:5db8:d822:0:0:f7f7:f7f7")  # Teredo to 8.8.8.8: RFC 4380, 4


# address, networks, over https -> may be connected to
CONNECTIONS = {
    "public": ("93.184.216.34", [], True, True),
    "public in plain text": ("93.184.216.34", [], False, False),
    "internal": ("10.1.2.3", [], True, False),
    "internal, another network": ("10.1.2.3", ["10.2.0.0/16"], True, False),
    "internal, allowed": ("10.1.2.3", ["10.1.0.0/16"], True, True),
    "internal, allowed, in plain text": ("10.1.2.3", ["10.1.0.0/16"], False, True),
    "mapped, allowed": ("::ffff:10.1.2.3", ["10.1.0.0/16"], True, True),
    "public beside an allowed network": ("93.184.216.34", ["10.1.0.0/16"], True, True),
}


def test_connection_needs_a_public_address_or_an_allowed_network() -> None:
    for case, (address, networks, is_https, expected) in CONNECTIONS.items():
        assert may_connect(address, networks, is_https=is_https) is expected, case
