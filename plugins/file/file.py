"""Answer from zone files, as their authority."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import codes
from corepy import wire as w
from corepy.fallthrough import Fallthrough
from corepy.plugin import ConfigError, Directive, Outcome, Plugin, Query, Reply
from corepy.plugins.file import lint
from corepy.plugins.file.source import Source
from corepy.words import shown
from corepy.zone import Authority, Zone, ZoneError, ZoneFile, announce, closest

if TYPE_CHECKING:
    from corepy.site import Site

_TRANSFERS: Final = frozenset((codes.IXFR, codes.AXFR))


@dataclass
class File(Plugin):
    """Zones by their names, which are keys; a query goes to the one with the longest name."""

    sources: dict[bytes, Source]
    fallthrough: Fallthrough = field(default_factory=Fallthrough)
    """For names that a zone does not have."""
    authoritative: ClassVar[bool] = True
    _serving: dict[bytes, Authority | None] = field(default_factory=dict, init=False, compare=False, repr=False)
    _files: list[ZoneFile] = field(default_factory=list, init=False, compare=False, repr=False)

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin for all files of a block; the last `fallthrough` counts for all of them (as CoreDNS)."""
        made = cls({})
        for directive in directives:
            made._read(directive)
        return [made]

    def _read(self, directive: Directive) -> None:
        """`file FILE [ZONES...]` and its options."""
        file = directive.word("the name of a zone file")
        source = Source(Path(file), at=file.at)
        origins = directive.origins()
        for option in directive.options("fallthrough", "reload", "reload_by_mtime", "upstream"):
            match option.name:
                case "fallthrough":
                    self.fallthrough = Fallthrough.parse(option)
                case "reload":
                    source.reload = option.duration(minimum=0)
                case "reload_by_mtime":
                    source.by_mtime = True
                case _:   # CoreDNS has asked itself since 1.4, and still reads what once said whom to ask
                    option.words()
        self.sources.update(dict.fromkeys(origins, source))

    def configure(self, site: Site) -> None:
        """Learn where relative paths begin, and who may want to know of new zones."""
        self._site = site
        for source in {id(source): source for source in self.sources.values()}.values():
            source.path = site.path(source.path)

    def ends(self) -> Sequence[bytes]:
        """The zones, unless some of their names fall through."""
        return () if self.fallthrough.zones else tuple(self.sources)

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:  # noqa: ARG002 - it has the paths
        """Read the files, as `start` does; those that `sign` is going to write need not be there."""
        written = any(plugin.name == "sign" for each in site.blocks for plugin in each.plugins)
        for origin, source in self.sources.items():
            yield from lint.check(origin, source, written=written)

    async def start(self) -> None:
        """Read the files, and look at them from time to time. Raises ConfigError where one cannot be served.

        A file that is out of reach is waited for, unless nobody will look at it again, or it is a directory.
        """
        for origin, source in self.sources.items():
            self._serving[origin] = None
            file = ZoneFile(source.path, origin, self._use, by_mtime=source.by_mtime)
            try:
                await file.read()
            except ZoneError as error:
                error.plugin = self.name
                raise
            except OSError as error:
                what = f"cannot read zone file {shown(str(source.path))}: {error.strerror or error}"
                if not source.reload or isinstance(error, IsADirectoryError):
                    raise ConfigError(what, source.at, plugin=self.name) from error
                remark = f"{what}; looking again in {source.reload:g}s"
                self.log.warning(remark)
            self._files.append(file)
        for file, source in zip(self._files, self.sources.values(), strict=True):
            self._follow(file, source)

    def _follow(self, file: ZoneFile, source: Source) -> None:
        """From now on, say what happens to the file."""
        where = f"zone {w.decode_name(file.origin)} from {source.path}"

        def use(zone: Zone) -> None:
            self._use(zone)
            remark = f"reloaded {where}, serial {zone.serial}, {len(zone)} names"
            self.log.info(remark)
            announce(self._site.plugins, zone.origin)

        def complain(error: Exception) -> None:
            remark = f"cannot reload {where}: {error}"
            self.log.error(remark)

        file.use = use
        file.watch(self.clock, source.reload, complain)
        if self._serving[file.origin] is not None:
            announce(self._site.plugins, file.origin)

    def stop(self) -> None:
        """Look no more."""
        for file in self._files:
            file.stop()

    def _use(self, zone: Zone) -> None:
        falls = self.fallthrough.through if self.fallthrough.zones else None
        self._serving[zone.origin] = Authority(zone, self.resolve, falls)

    def zone_of(self, origin: bytes) -> Zone | None:
        """The zone of this name, a key, as others may hand it out; None where there is none."""
        authority = self._serving.get(origin)
        return None if authority is None else authority.zone

    # --- queries ---

    def serve(self, query: Query) -> Outcome:
        """Answer for the zones; let go of other names, and of those that fall through."""
        origin = closest(query.key, self._serving)
        if origin is None:
            return self.next(query)
        authority = self._serving[origin]
        if authority is None or query.qtype in _TRANSFERS or query.flags & w.OPCODE:
            return self._refuse(query, origin)
        return authority.answer(query) or self.next(query)

    def _refuse(self, query: Query, origin: bytes) -> Reply:
        """What has no answer: transfers, which are another plugin's; NOTIFY, since no one else has the zone."""
        if query.qtype in _TRANSFERS:
            return Reply.failed(query, codes.REFUSED)
        if query.opcode == codes.NOTIFY:
            remark = f"dropping NOTIFY from {query.client.ip} for {w.decode_name(origin)}"
            self.log.info(remark)
            return Reply.SILENCE
        return Reply.failed(query)
