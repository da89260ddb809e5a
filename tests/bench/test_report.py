"""bench.report: the table, the JSON and the machine."""

from __future__ import annotations

import json
import re

from bench.measure import Result
from bench.report import Machine, as_json, document, table

RESULTS = [
    Result("static", "corepy", 5.04, 80123.4, 35.2, 0.301, 0, 0),
    Result("static", "coredns", 10.3, 65000.0, 28.0, 0.059, 1234, 2),
    Result("zone", "corepy", 6.7, 63412.0, 41.0, 0.461, 0, 0),
]
MACHINE = Machine("A processor", 2, "6.1.0", "3.13.0")


def test_table() -> None:
    rows = table(RESULTS).splitlines()
    assert rows[2:] == [
        "| **static**: one name with one address | corepy | **5.0 µs** | 80,123 | 35 MiB | 301 ms | 0 | 0 |",
        "|  | coredns | 10.3 µs | 65,000 | 28 MiB | 59 ms | 1,234 | 2 |",
        "| **zone**: a zone of 10,000 names | corepy | **6.7 µs** | 63,412 | 41 MiB | 461 ms | 0 | 0 |",
    ]
    assert {row.count("|") for row in rows} == {9}


def test_a_document_says_what_was_measured_where_and_how() -> None:
    text = document(RESULTS, {"corepy": "0.1.0", "knot": ""}, MACHINE, "python -m bench")
    head, _, rest = text.partition("\n\n")
    assert head == "corepy 0.1.0, knot; A processor, 2 cores; Linux 6.1.0; Python 3.13.0. `python -m bench`"
    assert rest == table(RESULTS)


def test_json() -> None:
    found = json.loads(as_json(RESULTS, {"corepy": "0.1.0"}, MACHINE, "python -m bench"))
    assert found["machine"]["cores"] == 2
    assert [Result(**result) for result in found["results"]] == RESULTS


def test_this_machine() -> None:
    here = Machine.here()
    assert here.cores >= 1
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", here.kernel)
