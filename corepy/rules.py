"""Rules of the linter: what a Corefile may say and seldom means. The core has some, and each plugin may have its own.

A plugin says more about itself than `parse` can tell in two methods, both for `corepy -validate` alone::

    EVERYONE = Rule("CPY201", "PROXY headers are believed from everyone", why="...", example="...")

    def check(self, lines: Sequence[Directive], site: Site) -> Iterator[ConfigError]:
        if not self.allow:
            yield EVERYONE.warn("everyone may claim to be anyone", lines[0].at, hint="allow names who may")
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from corepy.directive import Directive
from corepy.errors import ConfigError, Position

if TYPE_CHECKING:
    from corepy.query import Query
    from corepy.site import Site

RULES: Final[dict[str, Rule]] = {}
"""All rules by their id: the core's, and those of the plugins that have been imported."""


@dataclass(frozen=True)
class Rule:
    """One kind of finding. An id never changes its meaning: people name it where they silence it.

    Ids of the core are CPY1xx, those of its plugins CPY2xx; other packages begin theirs with other letters. `title`
    says what is the case, `why` what comes of it; `example` is a Corefile that the rule warns of.
    """

    id: str
    title: str
    why: str
    example: str

    def __post_init__(self) -> None:
        if self.id in RULES:
            raise ValueError(f"two rules are called {self.id}")
        RULES[self.id] = self

    def warn(self, what: str, at: Position, hint: str = "") -> ConfigWarning:
        """A finding of this kind."""
        return ConfigWarning(self, what, at, hint)


MISTAKE: Final = Rule(
    "CPY001",
    "The Corefile cannot be served",
    why="A server does not start with it, and one that runs keeps the configuration it has.",
    example=". {\n    forwrd . 192.0.2.53\n}\n",
)
"""What every error that is no warning counts as."""


class ConfigWarning(ConfigError):  # noqa: N818 - it keeps nothing from being served
    """What a rule has found; the server would start all the same."""

    def __init__(self, rule: Rule, what: str, at: Position, hint: str = "") -> None:
        super().__init__(what, at, hint=hint)
        self.rule = rule


class Note(Protocol):
    """Who is told what a plugin decides about a query."""

    def __call__(self, query: Query, text: str, at: Position | None = None, /) -> None:
        """The decision in words; `at` is the place of the rule that made it, one of `Checked.branches()`."""


class Checked:
    """What a plugin may tell about itself to those who prove a Corefile; a server never asks."""

    own_answer: ClassVar[str] = ""
    """What a query that the plugin answers has met, where it `note`s nothing of that: `hit`, for one."""

    def branches(self) -> Sequence[Position]:
        """Where its rules stand, of which a query may meet one and not the others; each that is met is `note`d."""
        return ()

    def check(self, lines: Sequence[Directive], site: Site) -> Iterable[ConfigError]:  # noqa: ARG002 - for subclasses
        """What `parse` and `configure` have not looked at: files that are out of reach, choices that are seldom meant.

        `lines` are the directives that the plugin was made of, unread again; `site` has been configured. An error is
        what keeps the server from starting, all else is a `Rule`'s `warn(...)`. One that is raised is the last one.
        Opens no socket.
        """
        return ()

    def ends(self) -> Sequence[bytes]:
        """Zones (keys) of which no query ever gets past this plugin. Who answers from what it has overrides this."""
        return ()


__all__ = ["MISTAKE", "RULES", "Checked", "ConfigWarning", "Note", "Rule"]
