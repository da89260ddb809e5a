"""Flags as Go's programs take them."""

import pytest

from corepy.flags import Flag, UsageError, parse, usage

FLAGS = [
    Flag("conf", "the file"),
    Flag("dns.port", "long", same_as="p"),
    Flag("p", "short"),
    Flag("quiet", "say", bool),
    Flag("loud", "shout", bool, words=("very",)),
]
Values = dict[str, str | bool]


@pytest.mark.parametrize(
    ("arguments", "values", "rest"),
    [
        ("", {}, ""),
        ("-conf a", {"conf": "a"}, ""),
        ("--conf a", {"conf": "a"}, ""),
        ("-conf=a", {"conf": "a"}, ""),
        ("--conf=a=b", {"conf": "a=b"}, ""),
        ("-conf= x", {"conf": ""}, "x"),
        ("-conf -quiet", {"conf": "-quiet"}, ""),
        ("-conf a -conf b", {"conf": "b"}, ""),
        ("-dns.port 1 -p 2", {"p": "2"}, ""),
        ("-p 2 -dns.port 1", {"p": "1"}, ""),
        ("-quiet", {"quiet": True}, ""),
        ("-quiet false", {"quiet": True}, "false"),
        ("-quiet=false", {"quiet": False}, ""),
        ("-quiet=1 --quiet=F", {"quiet": False}, ""),
        ("-loud", {"loud": True}, ""),
        ("-loud=very --loud very", {"loud": True}, "very"),
        ("--loud=very", {"loud": "very"}, ""),
        ("-loud=0", {"loud": False}, ""),
        ("-quiet word -p 2", {"quiet": True}, "word -p 2"),
        ("- -p 2", {}, "- -p 2"),
        ("-p 2 -- -quiet", {"p": "2"}, "-quiet"),
    ],
)
def test_values_and_what_is_left(arguments: str, values: Values, rest: str) -> None:
    assert parse(arguments.split(), FLAGS) == (values, rest.split())


@pytest.mark.parametrize(
    ("arguments", "text", "code"),
    [
        ("-x", "flag provided but not defined: -x", 2),
        ("--conf a --x=1", "flag provided but not defined: -x", 2),
        ("-conf", "flag needs an argument: -conf", 2),
        ("---conf a", "bad flag syntax: ---conf", 2),
        ("-=a", "bad flag syntax: -=a", 2),
        ("-quiet=yes", 'invalid boolean value "yes" for -quiet: parse error', 2),
        ("-h", "", 0),
        ("--help", "", 0),
    ],
)
def test_what_makes_no_sense(arguments: str, text: str, code: int) -> None:
    with pytest.raises(UsageError) as caught:
        parse(arguments.split(), FLAGS)
    assert (str(caught.value), caught.value.code) == (text, code)


def test_usage() -> None:
    assert usage("name", FLAGS[1:]).split("\n") == [
        "Usage of name:",
        "  -dns.port string",
        "    \tlong",
        "  -loud",
        "    \tshout",
        "  -p string",
        "    \tshort",
        "  -quiet",
        "    \tsay",
    ]
