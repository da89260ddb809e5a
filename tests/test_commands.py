"""Subcommands are found by their name, and nothing else is one."""

import pytest

from corepy import commands
from corepy.__main__ import main


def test_words_that_name_no_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run([]) is None
    assert commands.run(["nosuch"]) is None
    assert main(["nosuch"]) == 1
    assert "extra command line arguments: [nosuch]" in capsys.readouterr().err
