"""bench.scenarios: names, and the zone and hosts file that have their addresses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.agreement import answers
from bench.scenarios import NAMES, SCENARIOS, ZONE, Scenario, address, hosts_text, zone_text

if TYPE_CHECKING:
    from tests.conftest import Serve


def test_names_come_again_unless_each_is_to_be_new() -> None:
    static, miss = SCENARIOS["static"], SCENARIOS["miss"]
    assert list(static.questions(3, "x")) == [f"host0.{ZONE}"] * 3
    assert not set(miss.questions(1000, "a")) & set(miss.questions(1000, "b"))
    assert len(set(miss.questions(1000))) == 1000


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_every_question_has_an_answer(scenario: Scenario, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "zone").write_text(zone_text(20))
    server = serve(f"{ZONE} {{\n file {tmp_path / 'zone'}\n}}")
    said = answers(server.port, scenario.questions(20), "udp")
    assert {(rcode, len(records)) for rcode, records in said} == {("NOERROR", 1)}


def test_both_files_say_the_same() -> None:
    assert [line.split() for line in hosts_text(3).splitlines()] == [[address(n), f"host{n}.{ZONE}"] for n in range(3)]
    assert len({address(number) for number in range(NAMES)}) == NAMES
