"""any: one record for ANY, and nothing else."""

from __future__ import annotations

import pytest

from corepy import codes
from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.plugins.any import Any
from corepy.reply import Reply
from corepy.testing import make_query

BLOCK = "in a block, opened at Corefile:1:5 by '{', expected no block"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("any", 1),
        ("any\nany", 2),
        ("any thing", "plugin/any: Corefile:1:5: unexpected argument 'thing', expected no arguments"),
        (
            "any {\nthing\n}",
            f"plugin/any: Corefile:2:1: unexpected 'thing' {BLOCK} for any",
        ),
    ],
)
def test_lines(text: str, expected: int | str) -> None:
    try:
        result: object = len(Any.parse_all(directives(text)))
    except ConfigError as error:
        result = str(error)
    assert result == expected


def test_any_has_one_record() -> None:
    reply = Any().serve(make_query("Www.example.org", "ANY"))
    assert isinstance(reply, Reply)
    [record] = reply.record.rr
    assert (str(record.rname), record.rtype, record.rclass, record.ttl) == ("Www.example.org.", 13, codes.IN, 8482)
    assert reply.wire.endswith(b"\x0dANY obsoleted\x0cSee RFC 8482")
    assert reply.flags == 0x8100


def test_other_types_are_passed_on() -> None:
    plugin, passed = Any(), Reply.refused(make_query())
    plugin.next = lambda _: passed
    assert plugin.serve(make_query("www.example.org", "HINFO")) is passed
