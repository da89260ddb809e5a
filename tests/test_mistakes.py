"""All mistakes of a directive, not only the first; and none that only follows from another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import pytest

from corepy.corefile import directives
from corepy.mistakes import mistakes
from corepy.plugin import Directive, Plugin


class Strict(Plugin):
    """Takes a number; needs the option `size`; stands once."""

    once = True

    @classmethod
    def parse(cls, directive: Directive) -> Self:
        directive.integer()
        sizes = [option.integer() for option in directive.options("size", "deep") if option.name == "size"]
        if not sizes:
            raise directive.error("no size")
        return cls()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("strict 1 {\n size 1\n}", []),
        ("strict x", ["1:8: invalid argument 'x', expected a whole number"]),
        ("strict 1", ["1:1: no size"]),
        (
            "strict 1 {\n size x\n size y\n other\n size 1 2\n}",
            [
                "2:7: invalid argument 'x', expected a whole number",
                "3:7: invalid argument 'y', expected a whole number",
                "4:2: unknown option 'other', expected one of size, deep",
                "5:9: unexpected argument '2', expected the end of the line",
            ],
        ),
        ("strict 1 {\n deep {\n  x\n }\n size 1\n}", ["3:3: unexpected 'x' in a block, opened at Corefile:2:7 by '{'"]),
        (
            "strict 1 {\n size 1\n}\nstrict 2 {\n size 1\n}\nstrict x",
            [
                "4:1: given twice in a server block, first at Corefile:1:1",
                "7:1: given twice in a server block, first at Corefile:1:1",
            ],
        ),
    ],
)
def test_each_mistake_is_found_once(text: str, expected: list[str]) -> None:
    found = [str(error).removeprefix("plugin/strict: Corefile:") for error in mistakes(Strict, directives(text))]
    assert [line.replace(", expected no block for deep", "") for line in found] == expected


def test_many_mistakes_end() -> None:
    lines = "\n".join(f" size x{number}" for number in range(5000))
    assert len(mistakes(Strict, directives(f"strict 1 {{\n{lines}\n}}"))) == 100


def test_a_parser_that_complains_of_no_place_is_asked_once() -> None:
    calls = []

    class Vague(Plugin):
        @classmethod
        def parse_all(cls, directives: Sequence[Directive]) -> Sequence[Self]:
            calls.append(directives)
            raise directives[0].error("no", directives[0].at.__class__("elsewhere", 1, 1))

    assert [str(error) for error in mistakes(Vague, directives("vague"))] == ["plugin/vague: elsewhere:1:1: no"]
    assert len(calls) == 1
