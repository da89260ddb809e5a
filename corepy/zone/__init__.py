"""Zones: from their files to answers.

    zone = load(Path("db.example.org"), w.encode_name("example.org"))
    answer = lookup(zone, query.key, query.qtype, do=query.do)

A `Zone` holds RRsets as they go into messages, under names in wire form, and is never changed: a new version takes the
place of the old one. `load` reads one from a file (RFC 1035 5), `Builder` takes records from anywhere. `lookup` is
RFC 1034 4.3.2 as CoreDNS's file plugin does it; `Authority` makes replies of it, for the plugins that serve zones.
"""

from corepy.zone.authority import Authority
from corepy.zone.difference import SMALL, Difference, applied, is_newer, serial_of, since, succeed
from corepy.zone.errors import Unchanged, ZoneError
from corepy.zone.file import load
from corepy.zone.lookup import Answer, Result, lookup
from corepy.zone.names import closest
from corepy.zone.peers import EVERYBODY, Peer, keys_of, read_peers
from corepy.zone.source import Announcer, ZoneObserver, ZoneSource, announce
from corepy.zone.store import Builder, Zone
from corepy.zone.zonefile import ZoneFile

__all__ = [
    "EVERYBODY", "SMALL", "Announcer", "Answer", "Authority", "Builder", "Difference", "Peer", "Result", "Unchanged",
    "Zone", "ZoneError", "ZoneFile", "ZoneObserver", "ZoneSource", "announce", "applied", "closest", "is_newer",
    "keys_of", "load", "lookup", "read_peers", "serial_of", "since", "succeed",
]  # fmt: skip
