"""options: what becomes of the EDNS options of a message, and of all else in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from corepy import wire as w
from corepy.errors import Malformed
from corepy.options import with_options, without
from corepy.testing import message

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
