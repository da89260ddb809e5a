"""Numbers and names, both ways."""

import dnslib

from corepy import codes


def test_names_and_numbers_are_one_to_one() -> None:
    for names, numbers in (
        (codes.TYPE_NAMES, codes.TYPES),
        (codes.CLASS_NAMES, codes.CLASSES),
        (codes.RCODE_NAMES, codes.RCODES),
    ):
        assert {number: name for name, number in numbers.items()} == names


def test_constants_are_what_the_tables_say() -> None:
    for table in (codes.TYPES, codes.CLASSES, codes.RCODES):
        for name, number in table.items():
            assert getattr(codes, name, number) == number


def test_another_library_has_the_same_numbers() -> None:
    theirs = {name: number for number, name in dnslib.QTYPE.forward.items() if name != "HIP"}  # which is 55 (RFC 8005)
    for name, number in theirs.items():
        assert codes.TYPES.get(name, number) == number


def test_names_of_what_has_none() -> None:
    assert [codes.type_name(number) for number in (1, 255, 65280)] == ["A", "ANY", "TYPE65280"]
    assert [codes.class_name(number) for number in (1, 3, 255, 3841)] == ["IN", "CH", "CLASS255", "CLASS3841"]
    assert [codes.rcode_name(number) for number in (0, 16, 4000)] == ["NOERROR", "BADVERS", "4000"]


def test_labels_are_those_of_logs_and_metrics() -> None:
    assert [codes.type_label(number) for number in (0, 1, 65280, 65535)] == ["None", "A", "TYPE65280", "Reserved"]
    assert [codes.rcode_label(number) for number in (0, 16, 23, 24)] == ["NOERROR", "BADSIG", "BADCOOKIE", "24"]


def test_rcodes_of_a_corefile() -> None:
    assert (codes.COREFILE_RCODES["BADSIG"], codes.COREFILE_RCODES["NOTIMPL"]) == (16, codes.NOTIMP)
    assert "BADVERS" not in codes.COREFILE_RCODES
