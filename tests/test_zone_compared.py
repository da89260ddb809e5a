"""Zones with everything in them: what they say through this server, and through others with the same files.

    COREPY_QUESTIONS=100000 python -m pytest tests/test_zone_compared.py -s

asks so many questions of each server in place of a few thousand. Where answers differ, that has to be one of CoreDNS's
habits below, which are ours as well; the oracle itself is compared without any, where it is installed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import pytest

from corepy import codes
from corepy import wire as w
from corepy.records import decode, write_data
from corepy.testing import Running
from tests.authorities import ask, serving
from tests.zonegen import PLAIN, Generated, Question, generate

_QUESTIONS: Final = int(os.environ.get("COREPY_QUESTIONS", "2000"))
_OF_A_ZONE: Final = 20_000
"""Questions that there are about a zone, about."""
_NSEC: Final = codes.TYPES["NSEC"]


class Record(NamedTuple):
    """A record, with names in lower case."""

    owner: bytes
    rtype: int
    ttl: int
    rdata: bytes

    @property
    def covers(self) -> int:
        """The type itself, and of a signature that which it is for."""
        return int.from_bytes(self.rdata[:2], "big") if self.rtype == codes.RRSIG else self.rtype


Section = frozenset[Record]


class Said(NamedTuple):
    """What a server says to a question."""

    rcode: int
    aa: bool
    answer: Section
    authority: Section
    additional: Section


def said(wire: bytes) -> Said:
    """What is in a message."""
    sections = [
        frozenset(Record(owner.lower(), rtype, ttl, rdata.lower()) for owner, rtype, _, ttl, rdata in section
                  if rtype != codes.OPT)
        for section in decode(wire)
    ]  # fmt: skip
    return Said(wire[3] & 15, bool(wire[2] & w.AA >> 8), *sections)


# --- habits: each makes two answers alike in one respect ---

Habit = Callable[[Question, Said, Said], tuple[Said, Said]]


def _without(section: Section, *types: int) -> Section:
    """The records, less those of some types and their signatures."""
    return frozenset(record for record in section if record.covers not in types)


def soa_keeps_its_ttl(_question: Question, ours: Said, theirs: Said) -> tuple[Said, Said]:
    """The SOA record of a denial has its own TTL; RFC 2308 3 wants no more than its minimum."""

    def alike(given: Said) -> Said:
        return given._replace(authority=frozenset(
            record._replace(ttl=0) if record.covers == codes.SOA else record for record in given.authority
        ))  # fmt: skip

    return alike(ours), alike(theirs)


def answers_name_the_servers(question: Question, ours: Said, theirs: Said) -> tuple[Said, Said]:
    """Positive answers have the zone's NS records in the authority section; whether they do is anybody's choice."""

    apex = next(name for name in w.suffixes(question.name.lower()) if w.labels(name) == 2)

    def alike(given: Said) -> Said:
        return given._replace(authority=frozenset(
            record for record in given.authority if (record.owner, record.covers) != (apex, codes.NS)
        ))  # fmt: skip

    return alike(ours), alike(theirs)


def no_soa_behind_an_alias(_question: Question, ours: Said, theirs: Said) -> tuple[Said, Said]:
    """An alias to a name of the zone that lacks the type has no SOA record behind it; RFC 2308 2.2 wants one."""
    if not any(record.rtype == codes.CNAME for record in ours.answer):
        return ours, theirs
    return ours, theirs._replace(authority=_without(theirs.authority, codes.SOA))


def an_alias_comes_first(question: Question, ours: Said, theirs: Said) -> tuple[Said, Said]:
    """An alias is followed for NSEC and RRSIG too, which names with a CNAME have themselves (RFC 4034 3, 4)."""
    alias = (question.name.lower(), codes.CNAME)
    if question.qtype in (_NSEC, codes.RRSIG) and alias in {(record.owner, record.rtype) for record in ours.answer}:
        return ours, ours
    return ours, theirs


def nsec_has_its_proof(question: Question, ours: Said, theirs: Said) -> tuple[Said, Said]:
    """NSEC records of a wildcard come with the proof that the name does not exist, as those of any other type do."""
    if question.qtype != _NSEC or not ours.answer:
        return ours, theirs
    less = _without(ours.authority, _NSEC), _without(theirs.authority, _NSEC)
    return ours._replace(authority=less[0]), theirs._replace(authority=less[1])


def some_signatures_are_all(question: Question, ours: Said, theirs: Said) -> tuple[Said, Said]:
    """RRSIG is answered with all of a name but those of the apex's SOA and NS; one is enough (RFC 8482 4.1)."""
    both = ours.answer and theirs.answer and ours.rcode == theirs.rcode
    if question.qtype == codes.RRSIG and both:
        return ours, theirs._replace(answer=ours.answer, authority=ours.authority)
    return ours, theirs


def a_target_below_a_cut_has_no_ns(question: Question, ours: Said, theirs: Said) -> tuple[Said, Said]:
    """NS of an alias's target is asked of the server itself, and the referral that it gives is no answer."""
    alias = any(record.rtype == codes.CNAME for record in ours.answer)
    if question.qtype != codes.NS or not alias or _without(ours.authority, codes.NS):
        return ours, theirs
    return ours, theirs._replace(authority=ours.authority, additional=ours.additional)


def referrals_have_their_ds(question: Question, ours: Said, theirs: Said) -> tuple[Said, Said]:
    """A referral with DO has the DS records in a zone without signatures too."""
    if question.do and not any(record.rtype == codes.RRSIG for record in ours.authority):
        return ours._replace(authority=_without(ours.authority, codes.DS)), theirs
    return ours, theirs


def additional_records_are_few(_question: Question, ours: Said, theirs: Said) -> tuple[Said, Said]:
    """The additional section has what is needed: glue below the delegation, and hosts of MX, SRV, SVCB and HTTPS."""
    cuts = tuple({record.owner for record in ours.authority if record.rtype == codes.NS})
    addresses = [record for record in theirs.additional if record.rtype in (codes.A, codes.AAAA)]
    glue = {record for record in addresses if w.in_zones(record.owner, cuts)}
    hosts = {record.owner for record in ours.additional if ours.aa}   # of SVCB and HTTPS, which not all look for
    more = {record for record in ours.additional - theirs.additional if record.owner not in hosts}
    if not more and glue <= ours.additional:
        return ours, theirs._replace(additional=ours.additional)
    return ours, theirs


HABITS: Final[tuple[Habit, ...]] = (
    an_alias_comes_first, nsec_has_its_proof, some_signatures_are_all, soa_keeps_its_ttl, answers_name_the_servers,
    no_soa_behind_an_alias, a_target_below_a_cut_has_no_ns, referrals_have_their_ds, additional_records_are_few,
)  # fmt: skip


def explained(question: Question, ours: Said, theirs: Said) -> list[str] | None:
    """The habits by which two answers differ; None where something is left."""
    found = []
    for habit in HABITS:
        if ours == theirs:
            break
        before = ours, theirs
        ours, theirs = habit(question, ours, theirs)
        if (ours, theirs) != before:
            found.append(habit.__name__)
    return found if ours == theirs else None


# --- comparisons ---


def zones(kinds: tuple[str, ...]) -> Iterator[Generated]:
    """As many as it takes for the questions, of each kind: with odd labels or `simple`, and how they are signed."""
    for seed in range(-(-_QUESTIONS // (len(kinds) * _OF_A_ZONE))):
        for kind in kinds:
            simple, _, proofs = kind.partition("-")
            labels = {"labels": PLAIN} if simple == "simple" else {}
            yield generate(w.encode_name(f"{kind}{seed}.test"), seed, proofs=proofs, **labels)


class Compared(NamedTuple):
    """What came of it."""

    questions: int
    alike: int
    habits: Counter[str]
    unexplained: list[tuple[Question, Said, Said]]


Explain = Callable[[Question, Said, Said], list[str] | None]
"""Says by which habits two answers differ; None where that is no reason."""


def compare(server: str, directory: Path, port: int, habits: Explain, kinds: tuple[str, ...]) -> Compared:
    """Ask ourselves and another server the same."""
    files, questions = {}, []
    for zone in zones(kinds):
        name = w.decode_name(zone.origin)
        files[name] = directory / f"db.{name}"
        files[name].write_text(zone.text())
        questions += list(zone.questions())
    questions = Random(1).sample(questions, min(_QUESTIONS, len(questions)))
    lines = "".join([f"file {path} {name}\n" for name, path in files.items()])
    compared = Compared(len(questions), 0, Counter(), [])
    alike = 0
    with Running(f".:0 {{\n{lines}}}\n") as running, serving(server, directory, port, files):
        answers = zip(questions, ask(running.port, questions), ask(port, questions), strict=True)
        for question, ours, theirs in ((question, said(one), said(other)) for question, one, other in answers):
            if ours == theirs:
                alike += 1
            elif (found := habits(question, ours, theirs)) is None:
                compared.unexplained.append((question, ours, theirs))
            else:
                compared.habits.update(found)
    return compared._replace(alike=alike)


def told(compared: Compared) -> str:
    """For those who read it."""
    lines = [f"{compared.questions} questions, {compared.alike} answers alike, {len(compared.unexplained)} unexplained"]
    lines += [f"  {count:6} {habit}" for habit, count in compared.habits.most_common()]
    for question, ours, theirs in islice(compared.unexplained, 3):
        lines.append(f"{w.decode_name(question.name)} {codes.type_name(question.qtype)}{' DO' if question.do else ''}:")
        lines += different(ours, theirs)
    return "\n".join(lines)


def different(ours: Said, theirs: Said) -> Iterator[str]:
    """What one of both has alone."""
    if ours[:2] != theirs[:2]:
        yield f"  rcode and AA {ours[:2]}, not {theirs[:2]}"
    pairs = [(ours.answer, theirs.answer), (ours.authority, theirs.authority), (ours.additional, theirs.additional)]
    changes = [change for one, other in pairs for change in (("+", one - other), ("-", other - one))]
    for sign, records in changes:
        for owner, rtype, ttl, rdata in sorted(records):
            yield f"  {sign} {w.decode_name(owner)} {ttl} {codes.type_name(rtype)} {write_data(rtype, rdata)[:60]}"


def proofs_are_whole(question: Question, ours: Said, theirs: Said) -> list[str] | None:
    """The one difference from CoreDNS: with DO, what proves a denial (see docs/differences.md)."""

    def alike(given: Said) -> Said:
        if not question.do:
            return given
        answer = frozenset(record for record in given.answer if record.covers != codes.CNAME)
        behind_alias = len(answer) < len(given.answer)
        denial = (_NSEC, codes.SOA, codes.NS) if behind_alias else (_NSEC,)
        return given._replace(answer=answer, authority=_without(given.authority, *denial))

    return [proofs_are_whole.__name__] if alike(ours) == alike(theirs) else None


@pytest.mark.parametrize(
    ("server", "habits", "kinds"),
    [
        ("knot", explained, ("any", "any-nsec", "any-nsec3", "any-optout")),
        ("nsd", explained, ("any",)),   # its proofs are wrong where a name sorts before `*`
        ("coredns", proofs_are_whole, ("simple", "simple-nsec")),
    ],
)
def test_zones_say_what_they_say_elsewhere(
    server: str, habits: Explain, kinds: tuple[str, ...], tmp_path: Path, free_port: Callable[[], int]
) -> None:
    compared = compare(server, tmp_path, free_port(), habits, kinds)
    print(told(compared))  # noqa: T201 - for `-s`
    assert not compared.unexplained, told(compared)
