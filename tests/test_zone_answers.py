"""corepy/zone: what a zone says to questions, plain and with DNSSEC records."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from corepy import codes
from corepy import wire as w
from corepy.errors import Failure
from corepy.finish import finish
from corepy.query import Query
from corepy.records import decode, parse_record
from corepy.reply import Reply
from corepy.testing import make_query
from corepy.zone import Authority, Builder, Result, Zone, load, lookup

ORIGIN = w.encode_name("example.org")


def zone_of(tmp_path: Path, text: str, origin: bytes = ORIGIN) -> Zone:
    path = tmp_path / "db"
    path.write_text(text)
    return load(path, origin)


def no_server(_name: bytes, _qtype: int, _query: Query) -> Reply:
    raise Failure("no server")


ZONE = """
$TTL 300
@ SOA ns root 7 7200 3600 1209600 60
@ NS ns
@ NS out.example.net.
@ MX 10 Mail
@ MX 20 mail
ns A 192.0.2.53
mail A 192.0.2.25
mail AAAA 2001:db8::25
www A 192.0.2.80
www A 192.0.2.81
alias CNAME www
far CNAME www.example.net.
loop CNAME loop2
loop2 CNAME loop
tosub CNAME x.sub
todata CNAME leaf.ent
leaf.ent TXT "leaf"
*.wild TXT "any"
*.wild MX 5 mail
*.alias2 CNAME www
deep.ent.wild A 192.0.2.90
sub NS ns.sub
sub NS ns.example.net.
ns.sub A 192.0.2.99
old DNAME new
www.new A 192.0.2.82
self DNAME self.self
stay DNAME stay
_x._tcp SRV 0 0 1 mail
svc SVCB 0 mail
"""


@pytest.fixture(scope="module")
def zone(tmp_path_factory: pytest.TempPathFactory) -> Zone:
    return zone_of(tmp_path_factory.mktemp("zone"), ZONE)


def said(reply: Reply) -> str:
    """The rcode, AA, and the sections: owners less the origin, types, and data where it is a name or an address."""
    flags = " aa" if reply.flags & w.AA else ""
    sections = []
    for section in decode(reply.wire):
        words = [f"{w.decode_name(r.owner).removesuffix('example.org.')}:{codes.type_name(r.rtype)}" for r in section]
        sections.append(" ".join(words))
    return f"{codes.rcode_name(reply.rcode)}{flags} / " + " / ".join(sections)


APEX = ":NS :NS"


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        ("example.org", "SOA", f"NOERROR aa / :SOA / {APEX} / "),
        ("example.org", "NS", f"NOERROR aa / {APEX} /  / ns.:A"),
        ("example.org", "MX", f"NOERROR aa / :MX :MX / {APEX} / mail.:A mail.:AAAA"),
        ("example.org", "A", "NOERROR aa /  / :SOA / "),
        ("www.example.org", "A", f"NOERROR aa / www.:A www.:A / {APEX} / "),
        ("WWW.example.org", "A", f"NOERROR aa / www.:A www.:A / {APEX} / "),
        ("www.example.org", "ANY", "NOERROR aa /  / :SOA / "),
        ("www.example.org", "TXT", "NOERROR aa /  / :SOA / "),
        ("nothing.example.org", "A", "NXDOMAIN aa /  / :SOA / "),
        ("Nothing.example.org", "A", "NXDOMAIN aa /  / :SOA / "),
        ("a.www.example.org", "A", "NXDOMAIN aa /  / :SOA / "),
        ("ent.example.org", "A", "NOERROR aa /  / :SOA / "),
        ("alias.example.org", "A", f"NOERROR aa / alias.:CNAME www.:A www.:A / {APEX} / "),
        ("alias.example.org", "CNAME", f"NOERROR aa / alias.:CNAME / {APEX} / "),
        ("alias.example.org", "TXT", f"NOERROR aa / alias.:CNAME / {APEX} / "),
        ("todata.example.org", "TXT", f"NOERROR aa / todata.:CNAME leaf.ent.:TXT / {APEX} / "),
        ("tosub.example.org", "A", "NOERROR aa / tosub.:CNAME / sub.:NS sub.:NS / ns.sub.:A"),
        ("a.wild.example.org", "TXT", f"NOERROR aa / a.wild.:TXT / {APEX} / "),
        ("a.b.wild.example.org", "MX", f"NOERROR aa / a.b.wild.:MX / {APEX} / mail.:A mail.:AAAA"),
        ("a.wild.example.org", "A", "NOERROR aa /  / :SOA / "),
        ("wild.example.org", "TXT", "NOERROR aa /  / :SOA / "),
        ("x.ent.wild.example.org", "TXT", "NXDOMAIN aa /  / :SOA / "),
        ("ent.wild.example.org", "TXT", f"NOERROR aa / ent.wild.:TXT / {APEX} / "),   # as CoreDNS
        ("x.alias2.example.org", "A", f"NOERROR aa / x.alias2.:CNAME www.:A www.:A / {APEX} / "),
        ("sub.example.org", "A", "NOERROR /  / sub.:NS sub.:NS / ns.sub.:A"),
        ("x.y.sub.example.org", "A", "NOERROR /  / sub.:NS sub.:NS / ns.sub.:A"),
        ("ns.sub.example.org", "A", "NOERROR /  / sub.:NS sub.:NS / ns.sub.:A"),
        ("sub.example.org", "DS", "NOERROR aa /  / :SOA / "),
        ("x.sub.example.org", "DS", "NOERROR /  / sub.:NS sub.:NS / ns.sub.:A"),
        ("www.old.example.org", "A", f"NOERROR aa / old.:DNAME www.old.:CNAME www.new.:A / {APEX} / "),
        ("www.old.example.org", "CNAME", f"NOERROR aa / old.:DNAME www.old.:CNAME / {APEX} / "),
        ("old.example.org", "DNAME", f"NOERROR aa / old.:DNAME / {APEX} / "),
        ("x.stay.example.org", "A", "SERVFAIL /  /  / "),
        (".".join(["a" * 58] * 4) + ".self.example.org", "A", "YXDOMAIN aa / self.:DNAME / :NS :NS / "),
        ("far.example.org", "A", "SERVFAIL aa / far.:CNAME / :NS :NS / "),
        ("_x._tcp.example.org", "SRV", f"NOERROR aa / _x._tcp.:SRV / {APEX} / mail.:A mail.:AAAA"),
        ("svc.example.org", "SVCB", f"NOERROR aa / svc.:SVCB / {APEX} / mail.:A mail.:AAAA"),
    ],
)
def test_questions(zone: Zone, name: str, qtype: str, expected: str) -> None:
    authority = Authority(zone, no_server)
    for _ in range(2):   # the second one is remembered
        reply = authority.answer(make_query(name, qtype))
        assert isinstance(reply, Reply)
        assert said(reply) == expected


def test_aliases_that_go_in_circles_end(zone: Zone) -> None:
    found = lookup(zone, w.encode_name("loop.example.org"), codes.A, do=False)
    assert (found.result, len(found.answer)) == (Result.SUCCESS, 10)


def test_every_length_of_a_name_has_its_authority_section(zone: Zone) -> None:
    authority = Authority(zone, no_server)
    for length in range(1, 239):
        labels = [str(n % 10) * min(60, length - n) for n in range(0, length, 60)]
        reply = authority.answer(make_query(".".join(labels) + ".example.org", "A"))
        assert isinstance(reply, Reply)
        assert said(reply) == "NXDOMAIN aa /  / :SOA / "


@pytest.mark.parametrize(
    ("rcode", "records", "expected"),
    [
        (codes.NOERROR, ["www.example.net. 60 A 192.0.2.1"], "NOERROR aa / far.:CNAME www.example.net.:A / :NS :NS / "),
        (codes.NOERROR, [], "NOERROR aa / far.:CNAME / :SOA / "),
        (codes.NXDOMAIN, [], "NXDOMAIN aa / far.:CNAME / :SOA / "),
        (codes.REFUSED, [], "NOERROR aa / far.:CNAME / :NS :NS / "),
        (codes.SERVFAIL, [], "SERVFAIL aa / far.:CNAME / :NS :NS / "),
    ],
)  # fmt: skip
def test_targets_beyond_the_zone_are_asked_of_the_server(
    zone: Zone, rcode: int, records: list[str], expected: str
) -> None:
    async def ask() -> Reply:
        async def resolve(name: bytes, qtype: int, query: Query) -> Reply:
            assert (name, qtype) == (w.encode_name("www.example.net"), codes.A)
            return Reply.answer(query, *records, rcode=rcode)

        outcome = Authority(zone, resolve).answer(make_query("far.example.org", "A"))
        assert outcome is not None
        return await outcome

    assert said(asyncio.run(ask())) == expected


def test_a_zone_without_names_still_has_its_apex(tmp_path: Path) -> None:
    found = lookup(zone_of(tmp_path, "@ 300 SOA ns root 7 7200 3600 1209600 60"), ORIGIN, codes.A, do=True)
    assert (found.result, len(found.authority)) == (Result.SUCCESS, 1)


def test_the_root_is_a_zone(tmp_path: Path) -> None:
    text = ". 60 SOA a. b. 1 2 3 4 5\n. NS a.\norg NS ns.org.\nns.org A 192.0.2.1\norg DS 1 8 2 00\n"
    authority = Authority(zone_of(tmp_path, text, b"\0"), no_server)
    for name, qtype, expected in [
        (".", "SOA", "NOERROR aa / .:SOA / .:NS / "),
        ("www.org", "A", "NOERROR /  / org.:NS / ns.org.:A"),
        ("org", "DS", "NOERROR aa / org.:DS / .:NS / "),
        ("test", "A", "NXDOMAIN aa /  / .:SOA / "),
    ]:
        reply = authority.answer(make_query(name, qtype))
        assert isinstance(reply, Reply)
        assert said(reply) == expected


# --- DNSSEC ---

SIGNATURE = "13 2 300 20500101000000 20240101000000 1 @ AAAA"


@pytest.fixture(scope="module")
def signed() -> Zone:
    """A zone with NSEC records, and a signature for each RRset."""
    builder = Builder(ORIGIN)
    rows = [
        "@ SOA ns root 7 7200 3600 1209600 60", "@ NS ns", "@ NSEC *.c A", "*.c CNAME www", "*.c NSEC leaf.ent A",
        "leaf.ent A 192.0.2.1", "leaf.ent NSEC plain A", "plain NS ns.plain", "plain NSEC sub NS",
        "ns.plain A 192.0.2.2", "sub NS ns.sub", "sub DS 1 8 2 00", "sub NSEC *.wild NS DS", "*.wild TXT x",
        "*.wild NSEC tonone TXT", "tonone CNAME none", "tonone NSEC tonowhere CNAME", "tonowhere CNAME x.wild",
        "tonowhere NSEC towild CNAME", "towild CNAME loop.wild", "towild NSEC www CNAME", "www A 192.0.2.80",
        "www NSEC @ A",
    ]  # fmt: skip
    for row in rows:
        owner, rtype, _ = row.split(" ", 2)
        builder.add(parse_record(row, origin=ORIGIN))
        if rtype != "NS" or owner == "@":
            builder.add(parse_record(f"{owner} RRSIG {rtype} {SIGNATURE}", origin=ORIGIN))
    return builder.build()


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        ("www.example.org", "A", "NOERROR aa / www.:A www.:RRSIG / :NS :RRSIG / "),
        ("www.example.org", "TXT", "NOERROR aa /  / :SOA :RRSIG www.:NSEC www.:RRSIG / "),
        ("www.example.org", "RRSIG", "NOERROR aa / www.:RRSIG www.:RRSIG / :NS :RRSIG / "),
        ("example.org", "SOA", "NOERROR aa / :SOA :RRSIG / :NS :RRSIG / "),
        ("m.example.org", "A", "NXDOMAIN aa /  / :SOA :RRSIG leaf.ent.:NSEC leaf.ent.:RRSIG :NSEC :RRSIG / "),
        ("q.example.org", "A", "NXDOMAIN aa /  / :SOA :RRSIG plain.:NSEC plain.:RRSIG :NSEC :RRSIG / "),
        ("x.ent.example.org", "A",
         "NXDOMAIN aa /  / :SOA :RRSIG leaf.ent.:NSEC leaf.ent.:RRSIG *.c.:NSEC *.c.:RRSIG / "),
        ("x.www.example.org", "A", "NXDOMAIN aa /  / :SOA :RRSIG www.:NSEC www.:RRSIG / "),
        ("ent.example.org", "A", "NOERROR aa /  / :SOA :RRSIG *.c.:NSEC *.c.:RRSIG / "),
        ("x.wild.example.org", "TXT",
         "NOERROR aa / x.wild.:TXT x.wild.:RRSIG / :NS :RRSIG *.wild.:NSEC *.wild.:RRSIG / "),
        ("x.wild.example.org", "A", "NOERROR aa /  / :SOA :RRSIG *.wild.:NSEC *.wild.:RRSIG / "),
        ("x.c.example.org", "A",
         "NOERROR aa / x.c.:CNAME x.c.:RRSIG www.:A www.:RRSIG / :NS :RRSIG *.c.:NSEC *.c.:RRSIG / "),
        ("x.c.example.org", "TXT",
         "NOERROR aa / x.c.:CNAME x.c.:RRSIG / :SOA :RRSIG www.:NSEC www.:RRSIG *.c.:NSEC *.c.:RRSIG / "),
        ("x.plain.example.org", "A", "NOERROR /  / plain.:NS plain.:NSEC plain.:RRSIG / ns.plain.:A ns.plain.:RRSIG"),
        ("x.sub.example.org", "A", "NOERROR /  / sub.:NS sub.:DS sub.:RRSIG / "),
        ("plain.example.org", "DS", "NOERROR aa /  / :SOA :RRSIG plain.:NSEC plain.:RRSIG / "),
    ],
)
def test_questions_with_do(signed: Zone, name: str, qtype: str, expected: str) -> None:
    reply = Authority(signed, no_server).answer(make_query(name, qtype, edns=4096, do=True))
    assert isinstance(reply, Reply)
    assert said(reply) == expected


@pytest.mark.parametrize(
    ("name", "rcode", "records", "expected"),
    [
        ("tonone", codes.NXDOMAIN, [],
         "NXDOMAIN aa / tonone.:CNAME tonone.:RRSIG / :SOA :RRSIG leaf.ent.:NSEC leaf.ent.:RRSIG :NSEC :RRSIG / "),
        ("tonowhere", codes.NOERROR, [],
         "NOERROR aa / tonowhere.:CNAME tonowhere.:RRSIG / :SOA :RRSIG *.wild.:NSEC *.wild.:RRSIG / "),
        ("towild", codes.NOERROR, ["loop.wild.example.org. 60 TXT x"],
         "NOERROR aa / towild.:CNAME towild.:RRSIG loop.wild.:TXT / :NS :RRSIG *.wild.:NSEC *.wild.:RRSIG / "),
    ],
)  # fmt: skip
def test_what_the_server_says_of_targets_in_the_zone_is_proved(
    signed: Zone, name: str, rcode: int, records: list[str], expected: str
) -> None:
    async def ask() -> Reply:
        async def resolve(_name: bytes, _qtype: int, query: Query) -> Reply:
            return Reply.answer(query, *records, rcode=rcode)

        qtype = "TXT" if records else "A"
        outcome = Authority(signed, resolve).answer(make_query(f"{name}.example.org", qtype, edns=4096, do=True))
        assert outcome is not None
        return await outcome

    assert said(asyncio.run(ask())) == expected


def test_without_do_there_is_no_proof(signed: Zone) -> None:
    authority = Authority(signed, no_server)
    for name in ("m.example.org", "www.example.org", "x.plain.example.org", "x.c.example.org"):
        reply = authority.answer(make_query(name, "A"))
        assert isinstance(reply, Reply)
        assert "RRSIG" not in said(reply)
        assert "NSEC" not in said(reply)


def test_more_records_than_a_message_can_count_are_cut_off(zone: Zone) -> None:
    builder = Builder(ORIGIN)
    builder.add(zone.soa[False][0])
    for rtype in ("A 192.0.2.1", "MX 0 a"):
        record = parse_record(f"many {rtype}", origin=ORIGIN)
        for _ in range(0x10001):
            builder.add(record)
    authority = Authority(builder.build(), no_server)
    for qtype in ("A", "MX"):
        query = make_query("many.example.org", qtype)
        reply = authority.answer(query)
        assert isinstance(reply, Reply)
        sealed = Reply(finish(query, reply))
        assert (len(sealed.wire) <= 512, bool(sealed.flags & w.TC)) == (True, True)
