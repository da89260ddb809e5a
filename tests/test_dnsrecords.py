"""Messages as dnslib's objects, and its errors as ours."""

import dnslib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corepy.dnsrecords import parse, records
from corepy.errors import Malformed
from corepy.testing import message


def test_a_message_and_its_records() -> None:
    assert str(parse(message("example.org", "MX")).q.qname) == "example.org."
    given = dnslib.RR("example.org.", rdata=dnslib.A("192.0.2.1"))
    made = records([given, "example.org. 60 IN TXT one\nexample.org. 60 IN TXT two"])
    assert made[0] is given
    assert [dnslib.QTYPE[record.rtype] for record in made] == ["A", "TXT", "TXT"]


@given(st.binary(max_size=80))
def test_any_octets_are_a_message_or_malformed(wire: bytes) -> None:
    try:
        parse(wire)
    except Malformed:
        return


@pytest.mark.parametrize("text", ["example.org. 60 IN A nonsense", "example.org. IN NOSUCH x"])
def test_what_is_no_record(text: str) -> None:
    with pytest.raises(ValueError, match="is no record"):
        records([text])
