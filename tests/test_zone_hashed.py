"""corepy/zone: denial by hashes, checked as a validator does (RFC 5155 8)."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from corepy import codes
from corepy import wire as w
from corepy.records import EncodedRecord
from corepy.zone import Result, load, lookup
from corepy.zone.hashed import NSEC3, Chain, Parameters
from tests.zonegen import generate

EXAMPLE = Parameters(1, 12, bytes.fromhex("aabbccdd"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [   # RFC 5155, appendix A
        ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"), ("a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
        ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"), ("x.w.example", "b4um86eghhds6nea196smvmlo4ors995"),
    ],
)  # fmt: skip
def test_hashes(name: str, expected: str) -> None:
    assert base64.b32hexencode(EXAMPLE.hash(w.encode_name(name))).decode().lower() == expected


@pytest.mark.parametrize("data", [b"", b"\1\0\0\0", b"\1\0\0\0\2a"])
def test_data_that_is_cut_short(data: bytes) -> None:
    with pytest.raises(ValueError, match="NSEC3 data"):
        Chain(data, {})


class Proof:
    """What NSEC3 records say."""

    def __init__(self, parameters: Parameters, records: list[EncodedRecord]) -> None:
        self.parameters = parameters
        self.spans = {}
        for record in records:
            if record.rtype == NSEC3:
                own = base64.b32hexdecode(record.owner[1 : record.owner[0] + 1].upper())
                self.spans[own] = record.rdata[6 + record.rdata[4] : 26 + record.rdata[4]]

    def matches(self, name: bytes) -> bool:
        return self.parameters.hash(name) in self.spans

    def covers(self, name: bytes) -> bool:
        digest = self.parameters.hash(name)
        return any(
            own < digest < after or (after <= own and (digest > own or digest < after))
            for own, after in self.spans.items()
        )

    def encloser(self, name: bytes) -> bytes | None:
        """The closest encloser that is proved for a name (RFC 5155 8.3)."""
        closer = name
        for above in list(w.suffixes(name))[1:]:
            if self.matches(above):
                return above if self.covers(closer) else None
            closer = above
        return None


@pytest.mark.parametrize("proofs", ["nsec3", "optout"])
def test_everything_that_is_denied_is_proved(proofs: str, tmp_path: Path) -> None:
    origin = w.encode_name("example.org")
    generated = generate(origin, 7, proofs=proofs)
    (tmp_path / "db").write_text(generated.text())
    zone = load(tmp_path / "db", origin)
    assert zone.chain is not None
    seen = set()
    for name, qtype, do in list(generated.questions())[::7]:
        key = name.lower()
        answer = lookup(zone, key, qtype, do=do)
        proof = Proof(zone.chain.parameters, list(answer.authority))
        if not do:
            assert not proof.spans
            continue
        encloser = proof.encloser(key)
        if answer.result is Result.NAME_ERROR:
            assert encloser
            assert proof.covers(b"\1*" + encloser)
        elif answer.result is Result.NO_DATA or (not answer.answer and answer.result is Result.SUCCESS):
            optout = proofs == "optout" and qtype == codes.DS
            assert proof.matches(key) or (encloser and (optout or proof.matches(b"\1*" + encloser)))
        elif answer.wildcard:
            assert proof.spans
        seen.add(answer.result)
    assert {Result.NAME_ERROR, Result.NO_DATA, Result.SUCCESS, Result.DELEGATION} <= seen


def test_owners_of_nsec3_records_are_no_names_but_are_transferred(tmp_path: Path) -> None:
    origin = w.encode_name("example.org")
    (tmp_path / "db").write_text(generate(origin, 7, proofs="nsec3").text())
    zone = load(tmp_path / "db", origin)
    owners = {record.owner for record in zone.records() if record.rtype == NSEC3}
    assert len(owners) > 50
    assert {lookup(zone, owner, NSEC3, do=False).result for owner in owners} == {Result.NAME_ERROR}
