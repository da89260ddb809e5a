"""Strategies of hypothesis for who tests a plugin or a Corefile: names, messages, PROXY headers, Corefiles.

    from corepy.testing import strategies

    @given(strategies.messages())
    def test_any_query_is_answered(wire): ...

hypothesis is not installed with corepy: this module is for those who have it.
"""

from __future__ import annotations

from typing import Literal

from hypothesis import strategies as st

from corepy import codes, order
from corepy import wire as w
from corepy.address import Address
from corepy.proxyproto import encode_v1, encode_v2

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
_WORDS = (*order.DIRECTIVES, "192.0.2.1", "::1/64", ".", "example.org", "30s", "10", "IN", "A", '"', "#")
_LAST = 253
"""Letters of a name in text that always fit: 255 octets in the message (RFC 1035 2.3.4)."""


def names() -> st.SearchStrategy[str]:
    """Domain names in text, absolute, of letters that need no escape, in any case; the root among them."""
    labels = st.lists(st.text(_LETTERS, min_size=1, max_size=63), max_size=20)
    return labels.map(".".join).filter(lambda name: len(name) <= _LAST).map("{}.".format)


def wire_names() -> st.SearchStrategy[bytes]:
    """Names as in a message, uncompressed, with any octets in their labels."""
    labels = st.lists(st.binary(min_size=1, max_size=63), max_size=20)
    return labels.map(_encoded).filter(lambda name: len(name) <= w.MAX_NAME)


def _encoded(labels: list[bytes]) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


@st.composite
def messages(draw: st.DrawFn, name: st.SearchStrategy[bytes] | None = None) -> bytes:
    """Queries of one question, with any flags that a query may have, and perhaps EDNS with any options."""
    flags = draw(st.sampled_from((0, w.RD, w.AD, w.CD, w.RD | w.AD | w.CD)))
    rtype = draw(st.sampled_from(sorted(codes.TYPES.values())) | st.integers(0, 0xFFFF))
    question = draw(name if name is not None else wire_names()) + w.QUESTION.pack(rtype, codes.IN)
    head = draw(st.integers(0, 0xFFFF))
    plain = w.HEADER.pack(head, flags, 1, 0, 0, 0) + question
    if not draw(st.booleans()):
        return plain
    options = draw(st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=3))
    data = b"".join(w.option(code, value) for code, value in options)
    return w.with_additional(plain, w.opt_record(draw(st.integers(0, 0xFFFF)), 0, w.DO * draw(st.booleans()), data))


def addresses(version: Literal[4, 6] | None = None) -> st.SearchStrategy[Address]:
    """Addresses with a port, of IPv4 (4), IPv6 (6) or both."""
    return st.builds(Address.of, st.ip_addresses(v=version).map(str), st.integers(0, 0xFFFF))


@st.composite
def proxy_headers(draw: st.DrawFn, *, stream: bool = False) -> bytes:
    """PROXY headers of version 2, and over a stream of version 1 too: for a client, or LOCAL without one."""
    version: Literal[4, 6] = 6 if draw(st.booleans()) else 4
    source, destination = draw(addresses(version)), draw(addresses(version))
    if stream and draw(st.booleans()):
        return encode_v1(source, destination)
    return encode_v2(source, destination, stream=stream) if draw(st.booleans()) else encode_v2(stream=stream)


@st.composite
def corefiles(draw: st.DrawFn) -> str:
    """Texts of the shape of a Corefile, most of which no server takes: whoever reads them has to say why."""
    words = st.lists(st.sampled_from(_WORDS) | names(), min_size=1, max_size=4)
    line = words.map(" ".join)
    inner = st.lists(line.map("        {}\n".format), max_size=3).map("".join)
    directive = st.builds("    {} {{\n{}    }}\n".format, line, inner) | line.map("    {}\n".format)
    block = st.builds("{} {{\n{}}}\n".format, names(), st.lists(directive, max_size=5).map("".join))
    return "".join(draw(st.lists(block, min_size=1, max_size=3)))


__all__ = ["addresses", "corefiles", "messages", "names", "proxy_headers", "wire_names"]
