"""Which site answers."""

import pytest

from corepy import codes
from corepy import wire as w
from corepy.router import Filtered, Router
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


def test_views_share_a_zone_in_their_order() -> None:
    def asks_for(qtype: str) -> Filtered[str]:
        return Filtered(lambda query: codes.type_name(query.qtype) == qtype, qtype)

    zone, sub, root = (w.encode_name(name) for name in ("example.org", "sub.example.org", "."))
    views = Router(
        [(zone, asks_for("MX")), (zone, asks_for("TXT")), (sub, asks_for("A")), (zone, "rest"), (zone, asks_for("SRV"))]
    )
    asked = [("example.org", "TXT"), ("www.example.org", "SRV"), ("sub.example.org", "A"), ("sub.example.org", "MX")]
    assert [views.route(make_query(*each)) for each in asked] == ["TXT", "rest", "A", "MX"]
    assert views.route(make_query("example.net")) is None
    signed = Router([(sub, asks_for("DS")), (zone, "rest"), (root, "root")])
    assert signed.route(make_query("sub.example.org", "DS")) == "rest"
    assert signed.route(make_query("example.net", "DS")) == "root"
