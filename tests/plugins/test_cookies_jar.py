"""cookies: which are good, and for how long; hashes, secrets and the file of secrets."""

from __future__ import annotations

import contextlib
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.plugins.cookies.jar import Jar, read_secrets
from corepy.plugins.cookies.siphash import siphash24

ONE, TWO = bytes((1,)) * 16, bytes((2,)) * 16
DAY = 86400

VECTORS = [   # RFC 9018 A.1 to A.4: secret, address, server cookie, and the client's part
    ("e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100", "2464c4abcf10c957", "010000005cf79f111f8130c3eee29480"),
    ("e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100", "2464c4abcf10c957", "010000005cf7a871d4a564a1442aca77"),
    ("e5e973e5a6b2a43f48e7dc849e37bfcf", "203.0.113.203", "fc93fc62807ddb86", "01abcdef5cf78f71a314227b6679ebf5"),
    ("e5e973e5a6b2a43f48e7dc849e37bfcf", "203.0.113.203", "fc93fc62807ddb86", "010000005cf7a9acf73a7810aca2381e"),
    (
        "dd3bdf9344b678b185a6f5cb60fca715", "2001:db8:220:1:59de:d0f4:8769:82b8",
        "22681ab97d52c298", "010000005cf7c57926556bd0934c72f8",
    ),
    (
        "445536bcd2513298075a5d379663c962", "2001:db8:220:1:59de:d0f4:8769:82b8",
        "22681ab97d52c298", "010000005cf7c609a6bb79d16625507a",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("secret", "address", "client", "server"), VECTORS)
def test_vectors_of_the_rfc(secret: str, address: str, client: str, server: str) -> None:
    jar = Jar([bytes.fromhex(secret)])
    cookie, packed = bytes.fromhex(client + server), ip_address(address).packed
    now = int.from_bytes(cookie[12:16], "big")
    assert jar.check(cookie, packed, now)
    if cookie[9:12] == bytes(3):   # who sets the reserved octets is no one of us (4.2)
        assert jar.make(cookie[:8], packed, now) == cookie


@pytest.mark.parametrize(
    ("length", "expected"),
    [(0, "310e0edd47db6f72"), (1, "fd67dc93c539f874"), (8, "6224939a79f5f593"), (15, "e545be4961ca29a1")],
)
def test_vectors_of_siphash(length: int, expected: str) -> None:
    octets = bytes(range(16))
    assert siphash24(octets, octets[:length]).hex() == expected


HOST, OTHER_HOST = b"\xc0\0\2\1", b"\xc0\0\2\2"
CLIENT = b"12345678"
NOW = 1_700_000_000


@pytest.mark.parametrize("now", [NOW, 2**32 - 1, 2**32 + 5])
def test_a_cookie_is_good_for_its_time(now: int) -> None:
    jar = Jar([ONE])
    cookie = jar.make(CLIENT, HOST, now)
    good = {seconds: jar.check(cookie, HOST, now + seconds) for seconds in (-301, -300, 0, 3600, 3601)}
    assert good == {-301: False, -300: True, 0: True, 3600: True, 3601: False}


def test_a_cookie_is_for_one_client_and_as_it_was_made() -> None:
    jar = Jar([ONE])
    cookie = jar.make(CLIENT, HOST, NOW)
    assert not jar.check(cookie, OTHER_HOST, NOW)
    for at in range(len(cookie)):
        other = bytearray(cookie)
        other[at] ^= 1
        assert not jar.check(bytes(other), HOST, NOW), at
    assert not jar.check(cookie[:-1], HOST, NOW)
    assert not jar.check(cookie + b"\0", HOST, NOW)
    assert jar.check(cookie, HOST, NOW)


def test_secrets_are_rolled_over() -> None:
    before, between, after = Jar([ONE, TWO]), Jar([TWO, ONE]), Jar([TWO])
    old, new = before.make(CLIENT, HOST, NOW), between.make(CLIENT, HOST, NOW)
    assert [jar.check(old, HOST, NOW) for jar in (before, between, after)] == [True, True, False]
    assert [jar.check(new, HOST, NOW) for jar in (before, between, after)] == [True, True, True]


def test_rotation_changes_the_secret_and_takes_what_was_made_before() -> None:
    jar, other = Jar([ONE], 7200), Jar([ONE], 7200)
    border = 7200 * 1000
    cookie = jar.make(CLIENT, HOST, border - 1)
    assert jar.make(CLIENT, HOST, border - 2)[16:] != jar.make(CLIENT, HOST, border)[16:]
    assert other.check(cookie, HOST, border + 3000)
    assert not Jar([ONE]).check(cookie, HOST, border)
    for days in range(30):   # what is remembered of the past is no more than is of use
        assert jar.check(jar.make(CLIENT, HOST, border + days * DAY), HOST, border + days * DAY)
    assert len(jar._keys) <= 3


def test_what_is_known_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corepy.plugins.cookies.jar._KNOWN", 10)
    jar = Jar([ONE])
    cookies = [jar.make(number.to_bytes(8, "big"), HOST, NOW) for number in range(25)]
    assert all(jar.check(cookie, HOST, NOW) for cookie in cookies * 2)
    assert len(jar._known) <= 10
    assert not jar.check(CLIENT + cookies[0][8:], HOST, NOW)
    assert len(jar._known) <= 10   # what is wrong takes no room


@given(st.binary(max_size=60), st.sampled_from([HOST, bytes(16)]), st.integers(0, 2**33))
def test_no_octets_are_a_cookie_by_chance(cookie: bytes, address: bytes, now: int) -> None:
    assert not Jar([ONE]).check(cookie, address, now)


# --- the file of secrets ---


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (f"{ONE.hex()}\n".encode(), (ONE,)),
        (f"# new\n{TWO.hex()}  # since May\n\n{ONE.hex()}".encode(), (TWO, ONE)),
        (b"", "0 secrets, expected 1 to 4"),
        (f"{ONE.hex()}\n".encode() * 5, "5 secrets, expected 1 to 4"),
        (f"{ONE.hex()}\n1234\n".encode(), "line 2: no secret, expected 32 hexadecimal digits"),
        ("ü".encode() * 16, "line 1: no secret, expected 32 hexadecimal digits"),
        (b"01 " * 16, "line 1: no secret, expected 32 hexadecimal digits"),
    ],
)
def test_files(octets: bytes, expected: tuple[bytes, ...] | str) -> None:
    try:
        result: object = read_secrets(octets)
    except ValueError as error:
        result = str(error)
    assert result == expected


@given(st.binary())
def test_any_file(octets: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert all(len(secret) == 16 for secret in read_secrets(octets))
