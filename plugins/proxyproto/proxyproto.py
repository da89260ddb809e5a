"""Put a PROXY protocol door in front of the listeners of a server block; the protocol is `corepy.proxyproto`'s."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Self

from corepy.door import SESSIONS, Action, Door, ProxyPolicy, Sessions
from corepy.plugin import ConfigError, Directive, Plugin
from corepy.plugins.proxyproto import lint

if TYPE_CHECKING:
    from corepy.site import Site

_FROM_EVERYONE = (
    "PROXY headers are accepted from every address, so anyone can claim to be any client; 'allow' names who may"
)


@dataclass
class ProxyProto(Plugin):
    """Whose PROXY headers are believed, and whether UDP clients are remembered between headers.

    Not in the chain: it shapes the listener, for every zone on its port. Of several blocks on one port the last one
    with `proxyproto` counts.
    """

    allow: list[IPv4Network | IPv6Network] = field(default_factory=list)
    """Networks to believe; all, when there are none and no default is given."""
    default: Action | None = None
    """What to do about all others: IGNORE, unless given."""
    session_ttl: float = 0.0
    """Seconds that a UDP session lives without being used; no sessions where not positive."""
    max_sessions: int = SESSIONS
    """Sessions of a listener, at most."""
    require: bool = False
    """Whether those who are believed must send a header."""

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin for all lines: networks add up, of everything else the last one counts."""
        plugin = cls()
        for directive in directives:
            directive.no_more()
            for option in directive.options("allow", "default", "udp_session_tracking", "require"):
                plugin._read(option)
        return [plugin]

    def _read(self, option: Directive) -> None:
        match option.name:
            case "allow":
                self.allow += option.networks(at_least=0)  # CoreDNS takes none for none, and start() warns
            case "default":
                self.default = Action(option.choice("use", "ignore", "reject", "skip", fold_case=True))
            case "udp_session_tracking":
                self.session_ttl = option.duration()
                limit = option.optional()
                if limit is not None:
                    self.max_sessions = option.as_integer(limit, minimum=1)
            case _:
                self.require = True

    def configure(self, site: Site) -> None:
        """Stand in front of every listener of the block."""
        site.door = self.door

    def door(self) -> Door:
        """The door for one listener, with sessions of its own."""
        sessions = Sessions(self.session_ttl, self.max_sessions) if self.session_ttl > 0 else None
        return Door(self._policy(), sessions, self.log.warning)

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:  # noqa: ARG002 - it knows enough
        """Look at who is believed, and for how long."""
        return lint.check(lines, everyone=self._policy().accepts_everyone)

    def start(self) -> None:
        """Warn where every client can claim to be another."""
        if self._policy().accepts_everyone:
            self.log.warning(_FROM_EVERYONE)

    def _policy(self) -> ProxyPolicy:
        return ProxyPolicy(self.allow, self.default, require=self.require)
