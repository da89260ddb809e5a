"""Expressions about queries: what they can ask, and where their mistakes are."""

from typing import Any

import pytest

from corepy.corefile import directives
from corepy.errors import ConfigError
from corepy.exprlang import INT, EvaluationError
from corepy.queryexpr import FUNCTIONS, read_expression
from corepy.testing import make_query


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("name()", "www.example.org."),
        ("type() + class() + proto()", "AAAAINudp"),
        ("client_ip()", "2001:db8::1"),
        ("server_ip() + ':' + server_port()", "192.0.2.53:53"),
        ("port()", "4242"),
        ("do()", True),
        ("bufsize()", 1232),
        ("size() > 12 && id() >= 0 && opcode() == 0", True),
        ("incidr(client_ip(), '2001:db8::/32')", True),
        ("incidr('192.0.2.1', '10.0.0.0/8')", False),
        ("incidr('::ffff:192.0.2.1', '192.0.2.0/24')", True),
        ("incidr('192.0.2.1', '::ffff:192.0.2.0/120')", True),
        ("incidr('192.0.2.1', '::/0')", False),
        ("metadata('a/b')", ""),
    ],
)
def test_what_a_query_can_be_asked(text: str, value: Any) -> None:
    [option] = directives(f'expr "{text}"')
    query = make_query("WWW.example.org", "AAAA", client="2001:db8::1", edns=1232, do=True)
    assert read_expression(option).run(query) == value


@pytest.mark.parametrize(
    "arguments",
    ["'x', '::/0'", "'[::1]', '::/0'", "'fe80::1%eth0', 'fe80::/10'", "'192.0.2.1', '192.0.2.1'",
     "'192.0.2.1', '192.0.2.0/255.255.255.0'", "'192.0.2.1', '192.0.2.0/33'"],
)  # fmt: skip
def test_what_is_no_address_or_network(arguments: str) -> None:
    [option] = directives(f'expr "incidr({arguments})"')
    with pytest.raises(EvaluationError):
        read_expression(option).run(make_query())


def test_variables_have_their_values_in_order() -> None:
    [option] = directives("expr a - b")
    assert read_expression(option, FUNCTIONS, {"a": INT, "b": INT}).run(make_query(), (5, 3)) == 2


@pytest.mark.parametrize(
    ("text", "at"),
    [("expr nosuch()", "1:6"), ('expr "type() == nosuch"', "1:"), ("expr type() ==", "1:"), ("expr", "1:1")],
)
def test_mistakes_have_their_place(text: str, at: str) -> None:
    [option] = directives(text)
    with pytest.raises(ConfigError, match=f"Corefile:{at}"):
        read_expression(option)
