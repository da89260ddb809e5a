r"""Resource records: from presentation text to wire form, and into the sections of a message.

    record = parse_record("www.example.org. 60 IN MX 10 mail.example.org.")
    body = encode(query.qname, [record])

`parse_record` reads one record (RFC 1035 5.1) of any type that is in use, and of all others as `TYPE65280 \# 2 c0fe`
(RFC 3597 5). What a zone file has beyond records ($ORIGIN, $TTL, an owner that is left out) is the caller's: it is
handed in as arguments. `encode` compresses names (RFC 1035 4.1.4), `decode` undoes it, and `write_data` makes text of
a record's data again.
"""

from corepy.records.message import decode, encode
from corepy.records.record import EncodedRecord, parse_record
from corepy.records.text import write_data
from corepy.records.ttl import DEFAULT_TTL, parse_ttl

__all__ = ["DEFAULT_TTL", "EncodedRecord", "decode", "encode", "parse_record", "parse_ttl", "write_data"]
