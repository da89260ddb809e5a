"""Which site answers."""

import pytest

from corepy import wire as w
from corepy.router import Router
from corepy.testing import make_query

ZONES = ["example.org", "child.example.org", "alone.test", "org.uk"]


def router(*zones: str) -> Router[str]:
    return Router([(w.key(w.encode_name(zone)), zone) for zone in zones])


@pytest.mark.parametrize(
    ("name", "qtype", "zone"),
    [
        ("example.org", "A", "example.org"),
        ("www.EXAMPLE.org", "A", "example.org"),
        ("a.b.child.example.org", "A", "child.example.org"),
        ("myexample.org", "A", None),
        ("org", "A", None),
        (".", "NS", None),
        ("child.example.org", "DS", "example.org"),
        ("child.example.org", "DNSKEY", "child.example.org"),
        ("alone.test", "DS", "alone.test"),
        (r"www\.example.org", "A", None),
    ],
)
def test_the_longest_zone_answers(name: str, qtype: str, zone: str | None) -> None:
    assert router(*ZONES).route(make_query(name, qtype)) == zone
    assert router(*ZONES, ".").route(make_query(name, qtype)) == (zone or ".")


def test_the_root_alone_takes_everything() -> None:
    assert router(".").route(make_query("a.b.c")) == "."
    assert router(".").route(make_query("a.b.c", "DS")) == "."
    assert router().route(make_query("a.b.c")) is None
