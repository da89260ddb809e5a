"""What a test wants of an answer, one demand behind the other; a demand that is not met shows the whole reply.

    expect(answer).rcode("NOERROR").has("www.example.org. 300 IN A 192.0.2.1").ttl(at_most=300)

What else there is to compare, the fields of an `Answer` have.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent
from typing import TYPE_CHECKING, NoReturn, Self

from corepy.testing.answer import Answer, matches

if TYPE_CHECKING:
    from corepy.records import EncodedRecord

_SECTIONS = ("answer", "authority", "additional")
_FLAGS = ("qr", "aa", "tc", "rd", "ra", "ad", "cd")


def expect(answer: Answer) -> Expectation:
    """Begin to say what is wanted of an answer."""
    return Expectation(answer)


class Expectation:
    """Demands on one answer. Each raises AssertionError with the whole reply, or returns this object for the next."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def rcode(self, name: str) -> Self:
        """The reply says NOERROR, NXDOMAIN, SERVFAIL, REFUSED, ..."""
        __tracebackhide__ = True
        if self._answer.rcode != name.upper():
            self._fail(f"wanted rcode {name.upper()}, got {self._answer.rcode}")
        return self

    def has(self, *records: str, section: str = "answer") -> Self:
        """These records are in the section, perhaps beside others. A record without TTL may have any."""
        __tracebackhide__ = True
        found = self._section(section)
        missing = [text for text in records if not any(matches(record, text) for record in found)]
        if missing:
            self._fail(f"the {section} section lacks records", section, missing)
        return self

    def only(self, *records: str, section: str = "answer") -> Self:
        """These records are all that is in the section, in any order."""
        __tracebackhide__ = True
        left, missing = list(enumerate(self._section(section))), list[str]()
        for text in records:
            fits = next((each for each in left if matches(each[1], text)), None)
            if fits is None:
                missing.append(text)
            else:
                left.remove(fits)
        if missing or left:
            surplus = [number for number, _ in left]
            self._fail(f"the {section} section has other records", section, missing, surplus)
        return self

    def lacks(self, *records: str, section: str = "answer") -> Self:
        """None of these records is in the section."""
        __tracebackhide__ = True
        found = self._section(section)
        there = [number for number, record in enumerate(found) if any(matches(record, text) for text in records)]
        if there:
            self._fail(f"the {section} section has records that it must not have", section, surplus=there)
        return self

    def empty(self, section: str = "answer") -> Self:
        """The section has no records."""
        __tracebackhide__ = True
        return self.only(section=section)

    def ttl(self, exactly: int | None = None, *, at_least: int = 0, at_most: int = 0x7FFFFFFF) -> Self:
        """The TTLs in the answer section are within these bounds, in seconds."""
        __tracebackhide__ = True
        low, high = (at_least, at_most) if exactly is None else (exactly, exactly)
        ttls = [record.ttl for record in self._section("answer")]
        if not ttls:
            self._fail("wanted TTLs, but the answer section is empty")
        if not all(low <= ttl <= high for ttl in ttls):
            wanted = str(exactly) if exactly is not None else f"{low} to {high}"
            self._fail(f"wanted TTLs of {wanted}, got {', '.join(map(str, ttls))}")
        return self

    def flags(self, *names: str) -> Self:
        """These flags are set, those behind a minus are not: `flags("aa", "-tc")`."""
        __tracebackhide__ = True
        there = self._answer.flags
        for name in names:
            if name.lstrip("-") not in _FLAGS:
                raise ValueError(f"{name!r} is no flag: {', '.join(_FLAGS)}")
        wrong = [name for name in names if (name.lstrip("-") in there) == name.startswith("-")]
        if wrong:
            self._fail(f"wanted flags {' '.join(names)}, got {' '.join(there)}")
        return self

    def from_upstream(self, wanted: bool = True) -> Self:
        """A fake upstream was asked for it; or, where `wanted` is false, none was."""
        __tracebackhide__ = True
        if self._answer.from_upstream != wanted:
            self._fail("wanted a reply from upstream, none was asked" if wanted else "an upstream was asked for it")
        return self

    def _section(self, name: str) -> Sequence[EncodedRecord]:
        if name not in _SECTIONS:
            raise ValueError(f"{name!r} is no section: {', '.join(_SECTIONS)}")
        return self._answer.encoded[_SECTIONS.index(name)]

    def _fail(
        self, what: str, section: str = "", missing: Sequence[str] = (), surplus: Sequence[int] = ()
    ) -> NoReturn:
        """Show the reply as a diff: in front of records that are missing a minus, of those too many a plus."""
        __tracebackhide__ = True
        lines = [f"  {line}".rstrip() for line in str(self._answer).split("\n")]
        if missing or surplus:
            title = f"  ;; {section.upper()} SECTION:"
            if title not in lines:
                lines += ["", title]
            first = lines.index(title) + 1
            for number in surplus:
                lines[first + number] = f"+ {lines[first + number][2:]}"
            after = first + len(self._section(section))
            lines[after:after] = [f"- {text}" for text in missing]
        done = self._answer.explanation
        plugins = ["what plugins did:", indent(done, "  ")] if done else []
        raise AssertionError("\n".join([what, "the reply:", *lines, *plugins]))


__all__ = ["Expectation", "expect"]
