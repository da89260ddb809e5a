"""Check the signatures of queries, and have the replies to them signed (RFC 8945)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.errors import Malformed
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query, Reply
from corepy.plugins.tsig.options import hidden, read
from corepy.signed import Signed
from corepy.tsig import ErrorSigner, Key, Rejected, Signer, find, verify

if TYPE_CHECKING:
    from corepy.site import Site

_NOTAUTH: Final = codes.RCODES["NOTAUTH"]


@dataclass
class Tsig(Plugin):
    """Queries for names in `zones` (keys) are checked if they are signed, and refused if they should be and are not."""

    once: ClassVar[bool] = True

    zones: tuple[bytes, ...]
    keys: dict[bytes, Key] = field(default_factory=dict)
    """By their names. Those of other server blocks on the same address count, too (as CoreDNS)."""
    types: frozenset[int] = frozenset()
    """Types of queries that have to be signed."""
    opcodes: frozenset[int] = frozenset()
    """Opcodes of messages that have to be signed."""
    every: bool = False
    """Whether all queries have to be signed."""
    _known: dict[str, dict[bytes, Key]] = field(default_factory=dict, init=False, compare=False, repr=False)
    """The keys of each listener."""

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `tsig [ZONES...]` and its block; no error shows a line that may have a secret."""
        try:
            found = read(directive)
        except ConfigError as error:
            raise hidden(error) from None
        every = found.all_types or found.all_opcodes
        return cls(found.zones, found.keys, frozenset(found.types), frozenset(found.opcodes), every)

    def configure(self, site: Site) -> None:
        """Get to know the other server blocks."""
        self._site = site

    def start(self) -> None:
        """Collect the keys of all blocks by the addresses that they are served on; of one name the last one counts."""
        for site in self._site.blocks:
            for plugin in site.plugins:
                if isinstance(plugin, Tsig):
                    for server in {site.server(key, host) for key in site.keys for host in site.hosts}:
                        self._known.setdefault(server, {}).update(plugin.keys)

    def tsig_key(self, name: bytes) -> Key | None:
        """The key of this name, for the other plugins of the server block."""
        return self.keys.get(name)

    def serve(self, query: Query) -> Outcome:
        """Hand on what is signed as it should be, less the signature, and what need not be signed."""
        signed = query.signed
        if signed is None:
            needed = self.every or query.qtype in self.types or query.opcode in self.opcodes
            if not needed or not w.in_zones(query.key, self.zones):
                return self.next(query)
            if self.note is not None:
                self.note(query, "refused, since it is not signed")
            return Reply.refused(query)
        if signed.key is not None or not w.in_zones(query.key, self.zones):
            return self.next(query)
        return self._check(query, signed)

    def _check(self, query: Query, signed: Signed) -> Outcome:
        """Check the message as it came; from here on nobody sees the signature."""
        keys = self._known.get(query.endpoint.server, self.keys)
        try:
            signature = find(signed.wire)
            assert signature is not None  # noqa: S101 - or it would not be signed
            try:
                key = verify(signed.wire, signature, keys, self.clock.wall())
            except Rejected as rejected:
                signed.seal = ErrorSigner(rejected.error, signature, keys, self.clock.wall)
                return self._refuse(query, str(rejected), _NOTAUTH)
        except Malformed as error:
            return self._refuse(query, str(error), codes.FORMERR)
        signed.key, signed.seal = key.name, Signer(key, signature.algorithm, self.clock.wall, request=signature.mac)
        if query.metadata is not None:
            query.metadata["tsig/key"] = str(key)
        [record] = [record for record in w.records(query.wire, query.qend) if record.rtype == codes.TSIG]
        return self.next(query.with_wire(w.without(query.wire, record)))

    def _refuse(self, query: Query, why: str, rcode: int) -> Reply:
        if self.log.debugging:
            remark = f"signature of {query.name} {codes.type_name(query.qtype)} from {query.client.ip}: {why}"
            self.log.debug(remark)
        if self.note is not None:
            self.note(query, f"signature rejected: {why}")
        return Reply.failed(query, rcode)
