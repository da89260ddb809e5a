"""Answer from the zone files of a directory, which come and go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self

from corepy import codes
from corepy import expression as expressions
from corepy import wire as w
from corepy.errors import ConfigError, Position
from corepy.expression import Expression
from corepy.plugin import Directive, Outcome, Plugin, Query, Reply
from corepy.plugins.auto.directory import Directory, Look
from corepy.plugins.auto.lint import LEFT_OUT
from corepy.watched import Watched
from corepy.words import shown
from corepy.zone import Authority, Zone, ZoneObserver, announce, closest

if TYPE_CHECKING:
    from corepy.site import Site

_TRANSFERS: Final = frozenset((codes.IXFR, codes.AXFR))
_EXPRESSION: Final = r"db\.(.*)"
_TEMPLATE: Final = "{1}"


@dataclass
class Auto(Plugin):
    """All zones of a directory that are in `zones` (keys); a query goes to the one with the longest name."""

    zones: tuple[bytes, ...]
    path: Path | None = None
    """Below `root` if relative; None, which `configure` takes for the working directory, where none is named."""
    expression: str = _EXPRESSION
    """Searched in the names of files; the path before them does not count."""
    template: str = _TEMPLATE
    """The zone that a file is for, groups of the expression as `{1}` or `$1`."""
    reload: float = 60.0
    """Seconds between two looks at the directory and the serials in its files; 0 for none."""
    at: Position | None = field(default=None, compare=False)
    """Where the Corefile names the directory."""
    authoritative: ClassVar[bool] = True
    _compiled: Expression | None = field(default=None, init=False, compare=False, repr=False)
    _serving: dict[bytes, Authority] = field(default_factory=dict, init=False, compare=False, repr=False)
    _watched: Watched[Look] | None = field(default=None, init=False, compare=False, repr=False)

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin for a block; what the last directive says counts (as CoreDNS)."""
        made = cls(directives[-1].zones)
        for directive in directives:
            made.zones = directive.origins()
            for option in directive.options("directory", "reload", "upstream"):
                match option.name:
                    case "directory":
                        made._read(option)
                    case "reload":
                        made.reload = option.duration(minimum=0)
                    case _:   # CoreDNS has asked itself since 1.4, and still reads what once said whom to ask
                        option.words()
        return [made]

    def _read(self, option: Directive) -> None:
        """`directory DIR [REGEXP ORIGIN]`."""
        word = option.word("the name of a directory")
        self.path, self.at = Path(word), word.at
        pattern = option.optional()
        if pattern is None:
            return
        try:
            self._compiled = expressions.compile(pattern)
        except ValueError as error:
            raise option.error(str(error), pattern) from None
        if not self._compiled.groups:
            raise option.error(f"the expression {shown(pattern)} has no group", pattern, "at least one group ( )")
        self.expression = str(pattern)
        self.template = str(option.word("a zone's name, with groups of the expression as {1}"))

    def configure(self, site: Site) -> None:
        """Learn where relative paths begin, and who may want to know of new zones."""
        self._site = site
        self.path = Path() if self.path is None else site.path(self.path)

    def ends(self) -> Sequence[bytes]:
        """None for certain: its zones come and go."""
        return ()

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:  # noqa: ARG002 - it has the path
        """Look at the directory, as `start` does. Raises ConfigError where it is out of reach."""
        for remark in self._open().look().remarks:
            yield LEFT_OUT.warn(remark, self.at or lines[0].at)

    def _open(self) -> Directory:
        """The directory. Raises ConfigError where it is out of reach."""
        path = self.path or Path()
        try:
            path.stat()
        except FileNotFoundError:
            pass   # the first look remarks it
        except OSError as error:
            what = f"cannot access directory {shown(str(path))}: {error.strerror}"
            raise ConfigError(what, self.at, plugin=self.name) from error
        return Directory(path, self._compiled or expressions.compile(self.expression), self.template)

    async def start(self) -> None:
        """Read the directory, and look at it from time to time. Raises ConfigError where it is out of reach."""
        directory = self._open()
        self._watched = Watched(lambda: (directory.look(),), self._use)
        await self._watched.read()
        self._watched.watch(self.clock, self.reload, self._complain)

    def stop(self) -> None:
        """Look no more."""
        if self._watched is not None:
            self._watched.stop()

    def _use(self, look: Look) -> None:
        """Serve the zones as they are now."""
        for remark in look.remarks:
            self.log.warning(remark)
        observers = [plugin for plugin in self._site.plugins if isinstance(plugin, ZoneObserver)]
        for origin in sorted(look.gone):
            self._serving.pop(origin, None)
            for observer in observers:
                observer.zone_removed(origin)
            remark = f"removed zone {w.decode_name(origin)}"
            self.log.info(remark)
        for origin, zone in look.changed.items():
            done = "reloaded" if origin in self._serving else "loaded"
            self._serving[origin] = Authority(zone, self.resolve, partial=True)
            remark = f"{done} zone {w.decode_name(origin)}, serial {zone.serial}, {len(zone)} names"
            self.log.info(remark)
            for observer in observers:
                observer.zone_added(origin)
            announce(self._site.plugins, origin)

    def _complain(self, error: Exception) -> None:
        remark = f"cannot look into {self.path}: {error}"
        self.log.error(remark)

    def zone_of(self, origin: bytes) -> Zone | None:
        """The zone of this name, a key, as others may hand it out; None where there is none."""
        authority = self._serving.get(origin)
        return None if authority is None else authority.zone

    # --- queries ---

    def serve(self, query: Query) -> Outcome:
        """Answer for the zones that there are; let go of other names."""
        origin = closest(query.key, self._serving)
        if origin is None or not w.in_zones(query.key, self.zones):
            return self.next(query)
        if query.qtype in _TRANSFERS:
            return Reply.failed(query, codes.REFUSED)
        return self._serving[origin].answer(query) or self.next(query)
