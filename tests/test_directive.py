"""The readers of a directive: what they give, and what they say where it is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.address import Address
from corepy.corefile import directives
from corepy.directive import Directive, unknown_directive
from corepy.errors import ConfigError
from corepy.words import Word


def one(text: str) -> Directive:
    """The one directive of a text, in a server block of example.org."""
    (directive,) = directives(text, zones=(b"\7example\3org\0",))
    return directive


def error(text: str, read: Callable[[Directive], object]) -> ConfigError:
    """What a reader says to a text."""
    with pytest.raises(ConfigError) as caught:
        read(one(text))
    return caught.value


def test_words_are_taken_in_order() -> None:
    directive = one('forward . "" ::1 ::2')
    assert directive.word() == "."
    assert directive.optional() == ""
    assert directive.words(at_least=2) == ["::1", "::2"]
    assert directive.optional() is None
    assert directive.words() == []
    directive.finish()


@pytest.mark.parametrize(
    ("read", "good", "value"),
    [
        (Directive.integer, "x 8", 8),
        (Directive.integer, "x -08", -8),
        (lambda line: line.integer(minimum=1, maximum=3), "x 3", 3),
        (Directive.duration, "x 1m30s", 90.0),
        (lambda line: line.duration(minimum=0), "x 0", 0.0),
        (lambda line: line.choice("random", "sequential"), "x random", "random"),
        (lambda line: line.choice("on", "off", fold_case=True), "x OFF", "off"),
        (lambda line: [str(one) for one in line.networks()], "x 10.1.2.3/8 ::1/64", ["10.0.0.0/8", "::/64"]),
        (
            lambda line: [str(one) for one in line.networks(addresses=True)],
            "x 10.1.2.3 ::1 ::ffff:10.0.0.1 10.0.0.0/8",
            ["10.1.2.3/32", "::1/128", "10.0.0.1/32", "10.0.0.0/8"],
        ),
        (lambda line: line.networks(at_least=0), "x", []),
        (Directive.address, "x 127.0.0.1:53", ("127.0.0.1", 53)),
        (Directive.address, "x localhost:0", ("localhost", 0)),
        (Directive.address, "x :8080", ("", 8080)),
        (Directive.address, "x [::1]:53", ("::1", 53)),
        (lambda line: line.address(53), "x [fe80::1%eth0]", ("fe80::1%eth0", 53)),
        (lambda line: line.address(53), "x fe80::1%eth0", ("fe80::1%eth0", 53)),
        (lambda line: line.address(53), "x localhost", ("localhost", 53)),
        (lambda line: line.address(53), "x ::1:54", ("::1:54", 53)),
        (Directive.origins, "x A.test 10.0.0.0/8", (b"\1a\4test\0", b"\x0210\7in-addr\4arpa\0")),
        (Directive.ip_address, "x 192.0.2.1", Address.of("192.0.2.1", 0)),
        (Directive.origins, "x", (b"\7example\3org\0",)),
    ],
)
def test_readers(read: Callable[[Directive], object], good: str, value: object) -> None:
    directive = one(good)
    assert read(directive) == value
    directive.finish()


DURATION = "a duration such as 30s or 1h30m"
NETWORK = "a network such as 192.0.2.0/24 or 2001:db8::/32"


@pytest.mark.parametrize(
    ("read", "bad", "message"),
    [
        (lambda line: line.word("a zone"), "x", "Corefile:1:1: 'x' lacks an argument, expected a zone"),
        (lambda line: line.words("a zone", at_least=2), "x a", "Corefile:1:1: 'x' lacks an argument, expected a zone"),
        (Directive.no_more, "x a b", "Corefile:1:3: unexpected argument 'a', expected no arguments"),
        (
            lambda line: (line.word(), line.no_more()),
            "x a b",
            "1:5: unexpected argument 'b', expected the end of the line",
        ),
        (Directive.finish, "x {\n}", "Corefile:1:3: unexpected '{', expected no block for x"),
        (Directive.no_block, "x a {\n}", "Corefile:1:5: unexpected '{', expected no block for x"),
        (Directive.integer, "x", "Corefile:1:1: 'x' lacks an argument, expected a whole number"),
        (Directive.integer, "x 1.5", "Corefile:1:3: invalid argument '1.5', expected a whole number"),
        (Directive.integer, "x " + "9" * 5000, ", expected a whole number"),
        (Directive.integer, "x \u0665", "invalid argument '\u0665', expected a whole number"),
        (Directive.integer, 'x ""', "Corefile:1:3: empty argument, expected a whole number"),
        (lambda line: line.integer("a count", 1), "x 0", "invalid argument '0', expected a count of at least 1"),
        (lambda line: line.integer("a count", maximum=9), "x 10", "'10', expected a count of at most 9"),
        (lambda line: line.integer("a count", 1, 9), "x", "'x' lacks an argument, expected a count from 1 to 9"),
        (Directive.duration, "x 5", f"Corefile:1:3: invalid argument '5', expected {DURATION}"),
        (Directive.duration, "x", f"Corefile:1:1: 'x' lacks an argument, expected {DURATION}"),
        (lambda line: line.duration(minimum=1), "x 5ms", f"'5ms', expected {DURATION} of at least 1s"),
        (lambda line: line.choice("on", "off"), "x of", "Corefile:1:3: invalid argument 'of', expected one of on, off"),
        (lambda line: line.choice("on"), "x ON", "Corefile:1:3: invalid argument 'ON', expected on"),
        (Directive.networks, "x", f"Corefile:1:1: 'x' lacks an argument, expected {NETWORK}"),
        (Directive.networks, "x 10.0.0.0/8 ::1", f"Corefile:1:14: invalid argument '::1', expected {NETWORK}"),
        (
            lambda line: line.networks(addresses=True),
            "x ::1%eth0",
            f"Corefile:1:3: invalid argument '::1%eth0', expected an address or {NETWORK}",
        ),
        (Directive.address, "x localhost", "Corefile:1:3: invalid argument 'localhost', expected HOST:PORT"),
        (Directive.address, "x ::1", "Corefile:1:3: invalid argument '::1', expected HOST:PORT"),
        (Directive.address, "x :99999", "Corefile:1:3: invalid argument ':99999', expected HOST:PORT"),
        (lambda line: line.address(53), 'x ""', "Corefile:1:3: empty argument, expected HOST or HOST:PORT"),
        (lambda line: line.address(53), "x a:", "Corefile:1:3: invalid argument 'a:', expected HOST or HOST:PORT"),
        (Directive.ip_address, "x localhost", "Corefile:1:3: invalid argument 'localhost', expected an IP address"),
        (Directive.origins, "x a..b", "Corefile:1:3: invalid zone: 'a..b' has an empty label"),
    ],
)
def test_what_readers_say(read: Callable[[Directive], object], bad: str, message: str) -> None:
    text = str(error(bad, read))
    assert text.startswith("plugin/x: Corefile:1:")
    assert message in text


def options(directive: Directive) -> Iterator[str]:
    for option in directive.options("max_fails", "except", "nested", once=("except",)):
        yield str(option.name)
        if option.name == "max_fails":
            option.integer(minimum=0)
        elif option.name == "nested":
            yield from (str(line.word()) for line in option.options("inner"))
        else:
            yield from (str(zone) for zone in option.origins())


def test_options_come_in_their_order() -> None:
    directive = one("x {\n max_fails 3\n except\n nested {\n  inner a\n  inner b\n }\n max_fails 4\n}")
    expected = ["max_fails", "except", r"b'\x07example\x03org\x00'", "nested", "a", "b", "max_fails"]
    assert list(options(directive)) == expected
    directive.finish()
    assert list(options(one("x"))) == []
    assert list(options(one("x { }"))) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x {\n max_fail 3\n}", "2:2: unknown option 'max_fail', expected one of max_fails, except, nested"),
        ("x {\n max_fails\n}", "2:2: 'max_fails' lacks an argument, expected a whole number of at least 0"),
        ("x {\n max_fails 3 4\n except a\n}", "2:14: unexpected argument '4', expected the end of the line"),
        ("x {\n except a\n max_fails 3 {\n }\n}", "3:14: unexpected '{', expected no block for max_fails"),
        (
            "x {\n except a {\n b c\n }\n}",
            "3:2: unexpected 'b' in a block, opened at Corefile:2:11 by '{', expected no block for except",
        ),
        ("x {\n nested a {\n }\n}", "2:9: unexpected argument 'a', expected no arguments"),
        ("x {\n nested {\n  iner a\n }\n}", "3:3: unknown option 'iner', expected inner"),
        ("x {\n except a\n max_fails 1\n except a\n}", "4:2: 'except' given twice, first at Corefile:2:2"),
        ("x {\n nested {\n  inner a {\n }\n }\n}", "3:11: unexpected '{', expected no block for inner"),
    ],
)
def test_mistakes_in_options(text: str, message: str) -> None:
    found = error(text, lambda directive: list(options(directive)))
    assert str(found) == f"plugin/x: Corefile:{message}"


def test_the_option_that_was_probably_meant() -> None:
    found = error("x {\n max_fail 3\n}", lambda directive: list(options(directive)))
    assert found.hint == 'did you mean "max_fails"?'
    assert error("x wrand", lambda line: line.choice("random", "sequential")).hint == 'did you mean "random"?'


def test_lines_may_begin_with_anything() -> None:
    directive = one("hosts {\n 192.0.2.1 a.test b.test\n ::1 c.test\n}")
    assert {str(line.name): line.words() for line in directive.lines()} == {
        "192.0.2.1": ["a.test", "b.test"],
        "::1": ["c.test"],
    }
    directive.finish()


def test_readers_of_a_word_that_was_taken() -> None:
    directive = one("x 5 5s on 10.0.0.0/8 a:1 b.test")
    words = directive.words()
    assert directive.as_integer(words[0]) == 5
    assert directive.as_duration(words[1]) == 5.0
    assert directive.as_choice(words[2], "on") == "on"
    assert str(directive.as_network(words[3])) == "10.0.0.0/8"
    assert directive.as_address(words[4]) == ("a", 1)
    assert directive.as_zones(words[5:]) == (b"\1b\4test\0",)


def test_a_variable_that_is_not_set_is_named() -> None:
    assert "empty argument (the environment variable N is not set), expected" in str(error("x {$N}", Directive.integer))
    assert "lacks an argument (the environment variable N is not set)" in str(
        error("x {$N}", lambda line: line.words(at_least=2))
    )
    assert "(the environment variable N is not set)" in str(error("x {$N}", Directive.origins))


def test_an_error_of_the_plugin_own() -> None:
    directive = one("  x a")
    assert str(directive.error("no", directive.word(), "yes")) == "plugin/x: Corefile:1:5: no, expected yes"
    assert str(directive.error("no")) == "plugin/x: Corefile:1:3: no"
    assert str(directive.error("no", directive.at, hint="hm")) == "plugin/x: Corefile:1:3: no"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("forwrd", 'did you mean "forward"?'),
        ("FORWARD", 'did you mean "forward"?'),
        ("whoami}", "a brace counts only where it is a word of its own"),
        ("example.org", "is this a server block? each needs its braces when there are several"),
        ("zzz", ""),
    ],
)
def test_unknown_directives(name: str, hint: str) -> None:
    found = unknown_directive(Directive(Word(name)), ["log", "forward", "whoami"])
    assert str(found) == (
        f"-:1:1: unknown directive '{name}', expected a directive of CoreDNS or of an installed plugin"
    )
    assert found.hint == hint


READERS: list[Callable[[Directive], object]] = [
    Directive.integer,
    Directive.duration,
    Directive.networks,
    Directive.address,
    Directive.origins,
    Directive.ip_address,
    lambda line: line.address(53),
    lambda line: line.networks(addresses=True),
    lambda line: line.choice("a", "b", fold_case=True),
]


@given(
    st.sampled_from(READERS), st.one_of(st.text(), st.from_regex(re.compile(r"[\[\]0-9a-f:.%/]{0,12}"), fullmatch=True))
)
def test_any_argument_is_a_value_or_an_error(read: Callable[[Directive], object], text: str) -> None:
    try:
        read(Directive(Word("x"), [Word(text)]))
    except ConfigError as found:
        assert str(found).startswith("plugin/x: ")  # noqa: PT017 - a value is as good
