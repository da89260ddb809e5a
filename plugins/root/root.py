"""Tell the other plugins of a server block where the files are that it names by relative paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from corepy.plugin import ConfigError, Directive, Plugin
from corepy.words import Word, shown

if TYPE_CHECKING:
    from corepy.site import Site


@dataclass
class Root(Plugin):
    """Not in the chain: it is the first in the order of directives, so all others find the slot of the site filled."""

    path: Word

    @classmethod
    def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
        """One plugin: of several lines the last one counts."""
        return [cls.parse(directive) for directive in directives][-1:]

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        """Read `root PATH`."""
        directive.no_block()
        return cls(directive.word("a path"))

    def configure(self, site: Site) -> None:
        """Fill the slot of the site."""
        site.root = self.path

    def start(self) -> None:
        """Warn where there is nothing yet, since it may come later. Raises ConfigError where nobody can look."""
        try:
            Path(self.path).stat()
        except FileNotFoundError:
            remark = f"{shown(self.path)} does not exist"
            self.log.warning(remark)
        except OSError as error:
            what = f"cannot look into {shown(self.path)}: {error.strerror}"
            raise ConfigError(what, self.path.at, plugin=self.name) from error
