"""bench.agreement: what two servers have to agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.agreement import answers, differences, essence
from corepy.reply import Reply
from corepy.testing import make_query

if TYPE_CHECKING:
    from tests.conftest import Serve

A, B = "example.org. 60 IN A 192.0.2.1", "example.org. 60 IN A 192.0.2.2"


def test_order_ttl_case_and_other_sections_do_not_matter() -> None:
    query = make_query()
    one = Reply.answer(query, A, B, authority=["example.org. 60 IN NS ns.example.org."])
    other = Reply.answer(query, B.replace("60", "5"), A.replace("example", "EXAMPLE"), authoritative=False)
    assert essence(one) == essence(other) == ("NOERROR", ("example.org. A 192.0.2.1", "example.org. A 192.0.2.2"))


def test_rcode_and_data_do() -> None:
    query = make_query()
    found = [essence(each) for each in (Reply.answer(query, A), Reply.answer(query, B), Reply.refused(query))]
    assert len(set(found)) == 3
    assert differences(found, [found[0], found[0], found[2]]) == 1


def test_a_server_is_asked(serve: Serve) -> None:
    server = serve(". {\n hosts {\n 192.0.2.1 example.org\n fallthrough\n }\n erratic {\n drop 1\n }\n}")
    said = answers(server.port, ["example.org"], "tcp")
    assert said == [("NOERROR", ("example.org. A 192.0.2.1",))]
