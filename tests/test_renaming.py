"""Messages under other names: the same records, whatever pointed where."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.records import EncodedRecord, decode, encode, parse_record
from corepy.renaming import asked_alone, data_name, rebuild, with_data_name, with_question


def question(name: str, qtype: int = codes.A, qclass: int = codes.IN) -> bytes:
    return w.encode_name(name) + w.QUESTION.pack(qtype, qclass)


def message(name: str, *sections: list[str], flags: int = w.QR | w.RA) -> bytes:
    """A reply about a name with records in presentation form."""
    found = [[parse_record(text) for text in section] for section in sections] + [[]] * (3 - len(sections))
    return build(question(name), found, flags)


def build(asked: bytes, sections: list[list[EncodedRecord]], flags: int = w.QR) -> bytes:
    head = w.HEADER.pack(4660, flags, 1, *map(len, sections))
    return head + asked + encode(asked[:-4], *sections)


OPT = w.opt_record(1232, flags=w.DO)


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        (message("a.test."), True),
        (message("a.test.", ["a.test. 60 IN A 192.0.2.1", "a.test. 60 IN AAAA ::1"]), True),
        (message("a.test.", ["a.test. 60 IN TXT a.test"]), True),
        (message("a.test.", ["a.test. 60 IN HTTPS 1 b.test. alpn=h2"]), True),
        (w.with_additional(message("a.test.", ["a.test. 60 IN A 192.0.2.1"]), OPT), True),
        (w.with_additional(message("a.test."), OPT), True),
        (message("a.test.", ["A.test. 60 IN A 192.0.2.1"]), False),
        (message("a.test.", ["b.test. 60 IN A 192.0.2.1"]), False),
        (message("a.test.", ["a.test. 60 IN MX 1 b.test."]), False),
        (message("a.test.", ['a.test. 60 IN NAPTR 1 1 "" "" "" b.test.']), False),
        (message("a.test.", [], ["test. 60 IN SOA a.test. b.test. 1 2 3 4 5"]), False),
        (message("a.test.", ["a.test. 60 IN A 192.0.2.1"])[:-1], False),
        (message("a.test.", ["a.test. 60 IN A 192.0.2.1"])[:-8], False),
        (w.with_additional(message("a.test."), OPT[:5]), False),
    ],
)
def test_asked_alone(wire: bytes, expected: bool) -> None:
    assert asked_alone(wire, w.question_end(wire)) is expected


@pytest.mark.parametrize("asked", ["a.test.", "A.TEST.", "another.example.org.", "."])
@pytest.mark.parametrize(
    "sections",
    [
        [],
        [["a.test. 60 IN A 192.0.2.1"]],
        [["a.test. 60 IN CNAME b.test.", "b.test. 60 IN A 192.0.2.1"], ["test. 60 IN NS a.test."]],
        [["a.test. 60 IN SRV 1 2 3 a.test."], [], ["a.test. 60 IN AAAA 2001:db8::1"]],
        [[], ["test. 60 IN SOA ns.test. root.a.test. 1 2 3 4 5"]],
    ],
)
def test_records_keep_their_names_under_another_question(sections: list[list[str]], asked: str) -> None:
    wire = w.with_additional(message("a.test.", *sections), OPT)
    changed = with_question(wire, question(asked, codes.MX))
    assert changed[12:].startswith(question(asked, codes.MX))
    assert decode(changed) == decode(wire)
    assert (changed[:4], changed[4:6]) == (wire[:4], b"\0\1")


def test_a_message_without_a_question_gets_one() -> None:
    wire = w.HEADER.pack(1, w.QR | codes.FORMERR, 0, 0, 0, 0)
    assert with_question(wire, question("a.test.")) == w.HEADER.pack(1, w.QR | 1, 1, 0, 0, 0) + question("a.test.")


@pytest.mark.parametrize(
    ("text", "target", "changed"),
    [
        ("a. 1 IN CNAME b.", "b.", "a. 1 IN CNAME x.test."),
        ("a. 1 IN DNAME b.", "b.", "a. 1 IN DNAME x.test."),
        ("a. 1 IN NS b.", "b.", "a. 1 IN NS x.test."),
        ("a. 1 IN PTR b.", "b.", "a. 1 IN PTR x.test."),
        ("a. 1 IN MX 7 b.", "b.", "a. 1 IN MX 7 x.test."),
        ("a. 1 IN SRV 7 8 9 b.", "b.", "a. 1 IN SRV 7 8 9 x.test."),
        ("a. 1 IN SOA b. c. 1 2 3 4 5", "b.", "a. 1 IN SOA x.test. c. 1 2 3 4 5"),
        ('a. 1 IN NAPTR 7 8 "s" "long" "" b.', "b.", 'a. 1 IN NAPTR 7 8 "s" "long" "" x.test.'),
        ("a. 1 IN A 192.0.2.1", None, "a. 1 IN A 192.0.2.1"),
        ("a. 1 IN HTTPS 1 b.", None, "a. 1 IN HTTPS 1 b."),
    ],
)
def test_the_name_in_the_data(text: str, target: str | None, changed: str) -> None:
    record = parse_record(text)
    assert data_name(record) == (None if target is None else w.encode_name(target))
    assert with_data_name(record, w.encode_name("x.test.")) == parse_record(changed)


@pytest.mark.parametrize(
    ("rtype", "data"), [(codes.NS, b""), (codes.MX, b"\0\1"), (codes.SRV, b"\0"), (35, b"\0\1\0\1\1"), (35, b"\0\1")]
)
def test_data_that_are_cut_short(rtype: int, data: bytes) -> None:
    with pytest.raises(Malformed):
        data_name(EncodedRecord(b"\0", rtype, codes.IN, 0, data))


@pytest.mark.parametrize("wire", [b"", bytes(11), w.HEADER.pack(1, 0, 1, 0, 0, 0), message("a.")[:-1]])
def test_what_is_no_message(wire: bytes) -> None:
    with pytest.raises(Malformed):
        with_question(wire, question("a.test."))


# --- any message ---

LABELS = st.sampled_from([b"a", b"A", b"bc", b"\x00", b"x.y", b"z" * 63])
NAMES = st.lists(LABELS, max_size=3).map(lambda labels: b"".join(bytes((len(one),)) + one for one in labels) + b"\0")


@st.composite
def encoded_records(draw: st.DrawFn) -> EncodedRecord:
    name = draw(NAMES)
    data_of = {
        codes.A: b"\xc0\x0c\xc0\x0c", codes.NS: name, codes.CNAME: name, codes.SOA: name + draw(NAMES) + bytes(20),
        codes.MX: b"\0\1" + name, codes.SRV: bytes(6) + name, codes.TXT: b"\2\xc0\x0c", 35: bytes(7) + name,
        65280: b"\xc0\x0c",
    }  # fmt: skip
    rtype, data = draw(st.sampled_from(list(data_of.items())))
    return EncodedRecord(draw(NAMES), rtype, draw(st.sampled_from([1, 3])), draw(st.integers(0, 2**32 - 1)), data)


SECTIONS = st.lists(st.lists(encoded_records(), max_size=3), min_size=3, max_size=3)


@given(NAMES, SECTIONS, NAMES)
def test_any_message_has_the_same_records_under_another_question(
    name: bytes, sections: list[list[EncodedRecord]], other: bytes
) -> None:
    wire = build(name + b"\0\1\0\1", sections)
    changed = with_question(wire, other + b"\0\2\0\1")
    assert decode(changed) == tuple(sections)
    assert changed[12:].startswith(other + b"\0\2\0\1")


@given(NAMES, SECTIONS, NAMES)
def test_any_message_has_other_names_for_the_asking(
    name: bytes, sections: list[list[EncodedRecord]], other: bytes
) -> None:
    expected = [[with_data_name(one._replace(owner=other), other) for one in section] for section in sections]
    assert decode(rebuild(build(name + bytes(4), sections), other + bytes(4), *expected)) == tuple(expected)
    names = {data_name(one) for section in expected for one in section}
    assert names <= {None, other}


@given(NAMES, SECTIONS, NAMES, st.data())
def test_octets_of_all_kinds_are_a_message_or_malformed(
    name: bytes, sections: list[list[EncodedRecord]], other: bytes, data: st.DataObject
) -> None:
    wire = bytearray(build(name + bytes(4), sections))
    for _ in range(data.draw(st.integers(0, 3))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    octets = bytes(wire[: data.draw(st.integers(0, len(wire)))])
    asked_alone(octets, 12)
    with suppress(Malformed):
        with_question(octets, other + bytes(4))
