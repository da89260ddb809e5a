"""Rules about EDNS options of the query, and what becomes of them in the reply (RFC 6891 6.1.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from corepy import wire as w
from corepy.options import with_options
from corepy.plugin import Query
from corepy.plugins.rewrite.request import Request, Revert
from corepy.plugins.rewrite.rules import Rule

Options = list[tuple[int, bytes]]


class Source(Protocol):
    """Where the data of an option come from."""

    def data(self, request: Request) -> bytes | None:
        """The data for a request; None where there are none, and the rule does not apply."""


@dataclass(frozen=True)
class Literal:
    """Data as the Corefile has them."""

    octets: bytes = b""

    def data(self, _request: Request) -> bytes | None:
        """Always the same."""
        return self.octets


@dataclass(frozen=True)
class Variable:
    """Something about the query, by its name in VARIABLES."""

    name: str

    def data(self, request: Request) -> bytes | None:
        """What the variable is worth."""
        return VARIABLES[self.name](request)


@dataclass(frozen=True)
class Label:
    """What plugins know about the query, collected by `metadata`: a label `PLUGIN/NAME`."""

    label: str

    def data(self, request: Request) -> bytes | None:
        """The value as text in UTF-8; none where nobody has said any."""
        found = (request.query.metadata or {}).get(self.label, "")
        value = found if isinstance(found, str) else found()
        return value.encode("utf-8", "surrogateescape") or None


@dataclass(frozen=True)
class Subnet:
    """The network that the client is in, as a client subnet (RFC 7871 6); the bits that are told of an address."""

    bits4: int
    bits6: int

    def data(self, request: Request) -> bytes | None:
        """Family, length, a scope of 0, and as many octets of the address as the length needs."""
        packed = request.query.client.packed
        family, bits = (1, self.bits4) if len(packed) == 4 else (2, self.bits6)
        size = len(packed) * 8
        network = int.from_bytes(packed, "big") >> (size - bits) << (size - bits)
        return bytes((0, family, bits, 0)) + network.to_bytes(len(packed), "big")[: (bits + 7) // 8]


def _server_ip(request: Request) -> bytes | None:
    """The address that was asked, in the client's family.

    Of a UDP socket for all addresses only that is told (CoreDNS's way): the unspecified address to IPv6 clients,
    nothing to others.
    """
    query = request.query
    size = len(query.client.packed)
    unknown = query.endpoint.transport == "udp" and not query.endpoint.local
    local = bytes(16) if unknown else query.local.packed
    return local if len(local) == size else None


VARIABLES: Final[Mapping[str, Callable[[Request], bytes | None]]] = {
    "{qname}": lambda request: w.decode_name(request.name).encode(),
    "{qtype}": lambda request: request.qtype.to_bytes(2, "big"),
    "{client_ip}": lambda request: request.query.client.packed,
    "{client_port}": lambda request: request.query.client.port.to_bytes(2, "big"),
    "{protocol}": lambda request: request.query.endpoint.proto.encode(),
    "{server_ip}": _server_ip,
    "{server_port}": lambda request: request.query.local.port.to_bytes(2, "big"),
}
"""CoreDNS's variables: text as it is, numbers as two octets, addresses as four or sixteen."""


@dataclass(frozen=True)
class OptionRule(Rule):
    """Set, append, replace or unset an option. `revert` keeps what the rule has done from the reply."""

    action: str
    code: int
    source: Source = Literal()
    revert: bool = False

    def apply(self, request: Request) -> bool:
        """Change the options. The query gets an OPT record even where there is nothing to replace or unset."""
        data = self.source.data(request)
        if data is None:
            return False
        options = request.edns()
        if self.action == "unset":
            options[:] = [option for option in options if option[0] != self.code]
            return True
        at = next((at for at, option in enumerate(options) if option[0] == self.code), None)
        if at is not None and self.action in ("set", "replace"):
            old = options[at][1]
            options[at] = (self.code, data)
        elif self.action == "replace" or (at is not None and not isinstance(self.source, Literal)):
            return False
        else:   # what is appended as it stands in the Corefile is so even where there is such an option, as in CoreDNS
            old = None
            options.append((self.code, data))
        if self.revert:
            request.reverts.append(Revert(self.code, data, old))
        return True


def answered(wire: bytes, opt: w.Record | None, query: Query, request: Request, echoed: frozenset[int]) -> bytes:
    """A reply with the options that the client is to see, and without OPT where the query had none (RFC 6891 7).

    `opt` is the OPT record of the reply: what it says is kept, but for what is to be undone. Where a reply has none,
    the options of the changed query come back as far as their codes are in `echoed`, that is, are known here.
    """
    if query.edns is None:
        return w.without(wire, opt) if opt else wire
    if opt:
        options = list(w.options(wire, opt))
        kept = _reverted(options, request)
        if kept == options:
            return wire
        return with_options(wire, opt, kept)
    options = list(query.edns.options) if request.options is None else request.options
    kept = [(code, data) for code, data in _reverted(options, request) if code in echoed]
    return w.with_additional(wire, w.opt_record(0, options=b"".join([w.option(code, data) for code, data in kept])))


def _reverted(options: Options, request: Request) -> Options:
    """The options as they were before the rules that say `revert`, the last rule undone first.

    What is undone is the option that the rule has made; where it is no longer there, or an upstream has answered with
    another one, the last of its code.
    """
    kept = list(options)
    for code, new, old in reversed(request.reverts):
        places = [at for at, option in enumerate(kept) if option[0] == code]
        at = next((at for at in reversed(places) if kept[at][1] == new), places[-1] if places else None)
        if at is not None:
            kept[at : at + 1] = [] if old is None else [(code, old)]
    return kept
