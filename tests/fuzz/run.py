"""Fuzz one target with atheris: `python -m tests.fuzz.run TARGET [FOLDER] [flags of libFuzzer]`.

The folder keeps what was found interesting, over runs; a finding stands in a file `crash-...`, which as the argument
shows it again. Needs the extra: `pip install -e '.[fuzz]'`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris


def main() -> None:
    """Put the seeds into the folder, and fuzz."""
    with atheris.instrument_imports(include=["corepy"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - all of corepy has to be imported here

        if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
            sys.exit(f"one of {', '.join(TARGETS)}, then a folder, then flags of libFuzzer")
        chosen = TARGETS[sys.argv.pop(1)]
        for seed in chosen.seeds:
            chosen.run(seed)  # so that plugins are imported, too
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-") and not Path(sys.argv[1]).is_file():
        folder = Path(sys.argv[1])
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(chosen.seeds):
            (folder / f"seed-{number}").write_bytes(seed)
    atheris.Setup(sys.argv, chosen.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
