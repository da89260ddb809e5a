"""options: what becomes of the EDNS options of a message, and of all else in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.errors import Failure, Malformed
from corepy.options import with_options, with_rcode, without
from corepy.reply import Reply
from corepy.testing import make_query, message

Options = list[tuple[int, bytes]]
OPTIONS = st.lists(st.tuples(st.integers(1, 12), st.binary(max_size=40)), max_size=6)


def encode(options: Options) -> bytes:
    return b"".join(w.option(code, data) for code, data in options)


def read(wire: bytes) -> Options:
    opt = w.find_opt(wire)
    assert opt is not None
    return list(w.options(wire, opt))


@given(OPTIONS, OPTIONS)
def test_others_in_their_place(old: Options, new: Options) -> None:
    wire = message(edns=1232, do=True, options=encode(old))
    opt = w.find_opt(wire)
    assert opt is not None
    assert with_options(wire, opt, new) == message(edns=1232, do=True, options=encode(new))


@given(OPTIONS, st.integers(1, 12))
def test_all_of_a_code_are_gone(options: Options, code: int) -> None:
    wire = message(edns=1232, options=encode(options))
    left = without(wire, code)
    assert read(left) == [option for option in options if option[0] != code]
    assert (left is wire) == all(each != code for each, _ in options)


@given(st.integers(0, 0xFFF), st.booleans())
def test_another_rcode(rcode: int, has_opt: bool) -> None:
    options = w.option(codes.COOKIE, b"12345678") + w.option(65001, b"x")
    query = make_query().with_wire(message(edns=1232, options=options))
    wire = Reply.build(query, codes.NXDOMAIN).wire
    if has_opt:
        wire = w.with_additional(wire, w.opt_record(1232, 7, w.DO, options))
    changed = with_rcode(query, wire, rcode)
    opt = w.find_opt(changed)
    assert w.rcode(changed, opt) == rcode
    assert Reply(changed).flags & ~w.RCODE == Reply(wire).flags & ~w.RCODE
    if has_opt:
        assert read(changed) == read(wire)
    elif rcode > w.RCODE:
        assert read(changed) == [(codes.COOKIE, b"12345678")]
    else:
        assert opt is None


def test_an_rcode_above_15_needs_edns() -> None:
    query = make_query()
    assert with_rcode(query, Reply.build(query).wire, 15) == Reply.build(query, 15).wire
    with pytest.raises(Failure, match="BADKEY cannot be said to a client without EDNS"):
        with_rcode(query, Reply.build(query).wire, 17)


def test_no_opt_record_is_no_option() -> None:
    wire = message()
    assert without(wire, 10) is wire


@given(st.binary(max_size=80))
def test_any_octets(octets: bytes) -> None:
    try:
        without(message(edns=1232) + octets, 10)
        without(w.HEADER.pack(1, 0, 0, 0, 0, 1) + octets, 10)
    except Malformed:
        pass
