"""The rules but for those of EDNS: each changes a request, or notes what is to be done with the reply, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from corepy.plugins.rewrite.names import Exact, Pattern, Rename, Suffix, moved, renaming
from corepy.plugins.rewrite.request import Request
from corepy.plugins.rewrite.steps import Answer, CnameStep, Step, TtlStep, both


@dataclass(frozen=True)
class Rule:
    """One rule; `stop` says whether it is the last one for a request that it applies to."""

    stop: bool

    def apply(self, request: Request) -> bool:
        """Do what the rule says, if it is for this request; whether it is. Raises Failure for an invalid new name."""
        raise NotImplementedError


@dataclass(frozen=True)
class NameRule(Rule):
    """Ask for another name. `auto` is whether names in the reply are changed back, `answers` what else they become."""

    pattern: Pattern
    new: str
    auto: bool = False
    answers: tuple[Answer, ...] = ()
    _rename: Rename = field(init=False, compare=False, repr=False)
    _steps: Sequence[Step] = field(init=False, compare=False, repr=False)
    _back: bool = field(init=False, compare=False, repr=False)
    """Whether the way back depends on the name asked for: that of a suffix does not."""

    def __post_init__(self) -> None:
        suffix = isinstance(self.pattern, Suffix)
        steps: list[Step] = [answer.step for answer in self.answers]
        if self.auto and suffix:
            steps = [*both(renaming(Suffix(self.new), self.pattern.old)), *steps]
        # A frozen dataclass is filled in this way by its own __init__, too.
        object.__setattr__(self, "_rename", renaming(self.pattern, self.new))
        object.__setattr__(self, "_steps", steps)
        object.__setattr__(self, "_back", isinstance(self.pattern, Exact) or (self.auto and not suffix))

    def apply(self, request: Request) -> bool:
        """Change the name."""
        old = request.key
        name = self._rename(old)
        if name is None:
            return False
        request.rename(name)
        if self._back:
            request.steps += both(moved(request.key, old))
        request.steps += self._steps
        return True


@dataclass(frozen=True)
class TypeRule(Rule):
    """Ask for another type."""

    old: int
    new: int

    def apply(self, request: Request) -> bool:
        """Change the type."""
        if request.qtype != self.old:
            return False
        request.qtype = self.new
        return True


@dataclass(frozen=True)
class ClassRule(Rule):
    """Ask in another class."""

    old: int
    new: int

    def apply(self, request: Request) -> bool:
        """Change the class."""
        if request.qclass != self.old:
            return False
        request.qclass = self.new
        return True


@dataclass(frozen=True)
class TtlRule(Rule):
    """Change the TTLs of what is said about some names."""

    pattern: Pattern
    step: TtlStep

    def apply(self, request: Request) -> bool:
        """Note what becomes of TTLs."""
        if not self.pattern.matches(request.text):
            return False
        request.steps.append(self.step)
        return True


@dataclass(frozen=True)
class RcodeRule(Rule):
    """Give replies about some names that have one rcode another one."""

    pattern: Pattern
    old: int
    new: int

    def apply(self, request: Request) -> bool:
        """Note what becomes of the rcode."""
        if not self.pattern.matches(request.text):
            return False
        request.rcodes.append(self)
        return True


@dataclass(frozen=True)
class CnameRule(Rule):
    """Let CNAMEs in replies lead elsewhere. It applies to every request: what it is for shows in the reply."""

    step: CnameStep

    def apply(self, request: Request) -> bool:
        """Note what becomes of CNAMEs."""
        request.steps.append(self.step)
        return True
