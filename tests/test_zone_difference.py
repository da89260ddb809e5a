"""Differences between versions of a zone: found, kept, and applied again."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy import wire as w
from corepy.records import EncodedRecord, parse_record
from corepy.zone import SMALL, Builder, Difference, Zone, ZoneFile, applied, is_newer, serial_of, since, succeed
from corepy.zone.difference import difference

ORG = w.encode_name("example.org")
FILL = [f"h{number} A 192.0.2.1" for number in range(SMALL)]


def record(text: str) -> EncodedRecord:
    return parse_record(text, origin=ORG, ttl=60)


def zone(serial: int, *rows: str) -> Zone:
    builder = Builder(ORG)
    for row in (f"@ SOA ns root {serial} 2 3 4 5", "@ NS ns", *rows):
        builder.add(record(row))
    return builder.build()


def contents(found: Zone) -> list[EncodedRecord]:
    return sorted(found.records())


ROWS = (
    "a A 192.0.2.1", "a A 192.0.2.2", "a 30 A 192.0.2.2", "a AAAA ::1", "b MX 1 a", "@ MX 1 a", "@ NS a", "c NS a",
    "x.c A 192.0.2.1", "c DS 1 1 1 aa", "d.e.f TXT x", "*.f TXT y", "A TXT X", "g SRV 1 1 1 a", "g CNAME a",
    "d DNAME a", "@ RRSIG SOA 1 1 60 20300101000000 20200101000000 1 @ aaaa",
    "a RRSIG A 1 1 60 20300101000000 20200101000000 1 @ aaaa",
)  # fmt: skip


def some(names: st.DataObject) -> list[str]:
    rows = names.draw(st.lists(st.sampled_from(ROWS), max_size=8, unique=True))
    return [row for row in rows if row != "a 30 A 192.0.2.2" or "a A 192.0.2.2" not in rows]


@given(st.data())
def test_a_difference_leads_from_one_version_to_the_next(data: st.DataObject) -> None:
    old, new = zone(1, *some(data)), zone(2, *some(data))
    step, before = difference(old, new), contents(old)
    assert contents(applied(old, [step])) == contents(new)
    assert contents(old) == before
    assert {record.owner for record in step.removed} <= {record.owner for record in old.records()}
    assert step.size == len(step.removed) + len(step.added) + 2


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ((2, [], []), "differences from serial 2 for 1"),
        ((1, ["a A 192.0.2.9"], []), r"a record of a\.example\.org\. is removed that is not there"),
        ((1, [], ["a A 192.0.2.1"]), r"a record of a\.example\.org\. is added that is there"),
    ],
)
def test_differences_that_do_not_fit(step: tuple[int, list[str], list[str]], expected: str) -> None:
    serial, removed, added = step
    soa = record(f"@ SOA ns root {serial} 2 3 4 5")
    with pytest.raises(ValueError, match=expected):
        applied(
            zone(1, "a A 192.0.2.1"),
            [Difference(soa, soa._replace(ttl=5), tuple(map(record, removed)), tuple(map(record, added)))],
        )


def test_names_are_removed_in_any_case() -> None:
    old = zone(1, "a MX 1 b", *FILL)
    step = difference(old, zone(2, *FILL))
    [removed] = step.removed
    shouted = removed._replace(owner=removed.owner.upper(), rdata=removed.rdata[:2] + removed.rdata[2:].upper())
    assert applied(old, [step._replace(removed=(shouted,))]).find(w.encode_name("a.example.org")) is None


def test_a_zone_knows_how_it_came_about() -> None:
    versions = [zone(serial, f"new{serial} A 192.0.2.1", *FILL) for serial in (0xFFFFFFFE, 0xFFFFFFFF, 0, 1, 2, 3, 4)]
    for old, new in itertools.pairwise(versions):
        succeed(old, new)
    last = versions[-1]
    assert [serial_of(step.before) for step in last.history] == [0, 1, 2, 3]   # 4 records each, of 65 // 4
    assert [serial_of(step.after) for step in since(last, 2)] == [3, 4]
    assert (since(last, 0xFFFFFFFF), since(last, 4), since(last, 9)) == ((), (), ())
    assert contents(applied(versions[2], since(last, 0))) == contents(last)
    assert applied(versions[5], since(last, 3)).history == last.history


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (zone(1), zone(2)),
        (zone(1, *FILL), zone(2, "a A 192.0.2.1")),
        (zone(2, *FILL), zone(1, *FILL)),
        (zone(1, *FILL), zone(1, *FILL)),
        (zone(1, *FILL), zone(2, *(row.replace("192", "198") for row in FILL))),
        (None, zone(2, *FILL)),
    ],
    ids=["small", "small now", "older", "the same serial", "all is new", "first"],
)
def test_differences_that_are_not_worth_it_are_not_kept(old: Zone | None, new: Zone) -> None:
    succeed(old, new)
    assert new.history == ()


def test_serials_go_round() -> None:
    assert is_newer(0, 0xFFFFFFFF)
    assert is_newer(0x7FFFFFFF, 0)
    assert not is_newer(0x80000000, 0)
    assert not is_newer(5, 5)


def test_a_zone_file_keeps_the_differences(tmp_path: Path) -> None:
    found: list[Zone] = []
    file = ZoneFile(tmp_path / "db", ORG, found.append)
    for serial in (1, 2, 2, 3):
        text = "\n".join([f"@ 60 SOA ns root {serial} 2 3 4 5", f"new{serial} 60 A 192.0.2.1", *FILL])
        (tmp_path / "db").write_text(text + "\n")
        if (loaded := file._look()) is not None:
            found.append(loaded[0])
    assert [zone.serial for zone in found] == [1, 2, 3]
    [one, two] = found[-1].history
    assert [record.owner for record in (*one.removed, *one.added)] == [
        w.encode_name("new1.example.org"), w.encode_name("new2.example.org"),
    ]  # fmt: skip
    assert serial_of(two.after) == 3
