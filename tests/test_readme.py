"""What is written is true: every example starts, every option is documented, and versions agree."""

from __future__ import annotations

import ast
import asyncio
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import corepy
from corepy import codes, corefile, registry, site
from corepy.errors import ConfigError
from corepy.plugin import Directive, Plugin
from corepy.server import Server
from corepy.site import Bind
from corepy.testing import FakeClock, ask

if TYPE_CHECKING:
    from tests.conftest import Start

FreePort = Callable[[], int]
ROOT = Path(__file__).parents[1]
PAGES = {path.parent.name: path.read_text() for path in sorted((ROOT / "plugins").glob("*/README.md"))}
_BLOCK = re.compile(r"^(~~~|```) ?(\w+)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)

FILES: dict[str, str] = {}
"""Files that examples name, relative to where the server runs."""


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return [match[3] for match in _BLOCK.finditer(text) if match[2] == language]


def section(text: str, title: str) -> str:
    """What stands below a heading."""
    return re.split(r"^## ", text.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


EXAMPLES = [
    pytest.param(example, id=f"{name}-{number}")
    for name, text in PAGES.items()
    for number, example in enumerate(blocks(text, "corefile"), 1)
]


def start_and_stop(text: str, free_port: FreePort) -> None:
    """Serve a Corefile, with a port that is free in place of each one that it names."""
    parsed = corefile.load(text, "Corefile", known=registry.known())
    clock = FakeClock()
    built = site.build(parsed, clock=clock)
    ports = {bind.port: free_port() for bind in built.listeners}

    def moved(bind: Bind) -> Bind:
        return replace(bind, port=ports[bind.port])

    built.listeners = {moved(bind): listener for bind, listener in built.listeners.items()}
    built.zones = {moved(bind): zones for bind, zones in built.zones.items()}

    async def run() -> None:
        server = Server(clock)
        await server.start(built)
        stopping = asyncio.ensure_future(server.stop())
        while not stopping.done():   # lame ducks have their time
            clock.advance(1.0)
            await asyncio.wait([stopping], timeout=0.02)
        await stopping

    asyncio.run(run())


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_starts(
    text: str, free_port: FreePort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    start_and_stop(text, free_port)


# --- what is built ---


def test_every_directive_is_in_the_readme() -> None:
    assert set(re.findall(r"plugins/(\w+)/README\.md", (ROOT / "README.md").read_text())) == set(registry.built_in())


# --- manual pages ---

PAGE = pytest.mark.parametrize("name", sorted(registry.built_in()))


@PAGE
def test_every_plugin_has_a_manual_page_with_its_sections_in_order(name: str) -> None:
    assert name in PAGES
    text = PAGES[name]
    assert text.startswith(f"# {name}\n")
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert titles[:3] == ["Name", "Description", "Syntax"]
    assert "Examples" in titles
    assert titles[titles.index("Examples") + 1 :] in ([], ["Bugs"], ["See Also"], ["Bugs", "See Also"])
    assert blocks(section(text, "Examples"), "corefile"), "an example that can be started"


@PAGE
def test_the_name_line_is_the_docstring(name: str) -> None:
    module = ast.parse((ROOT / "plugins" / name / "__init__.py").read_text())
    documented = section(PAGES[name], "Name").strip()
    assert documented.startswith(f"*{name}* - ")
    assert documented.endswith(".")
    assert (ast.get_docstring(module) or "").split("\n\n")[0].replace("\n", " ") == documented.replace(
        "*", ""
    ).replace("\n", " ")


FREE = {"hosts"}
"""Plugins in whose block any word may begin a line."""


def documented_options(name: str) -> set[str]:
    """The options in the Syntax of a manual page: the first word of each line within the braces, if it is literal."""
    options: set[str] = set()
    for text in blocks(section(PAGES[name], "Syntax"), "txt"):
        depth = 0
        for line in text.splitlines():
            words = line.split()
            if depth == 1 and words and words[0][0].islower():
                options.update(words[0].split("|"))
            depth += words.count("{") - words.count("}")
    return options


def read(plugin: type[Plugin], directive: Directive) -> None:
    """Read a directive as the core does."""
    plugin.parse_all([directive])
    directive.finish()


def known_options(name: str) -> set[str]:
    """The options that a plugin names when one that it does not know is added to those of its examples."""
    plugin = registry.find(name)
    assert plugin is not None
    parsed = [corefile.load(text, "Corefile") for text in blocks(PAGES[name], "corefile")]
    known: set[str] = set()
    for directive in [each for one in parsed for block in one.blocks for each in block.directives]:
        if directive.name != name:
            continue
        [unknown] = corefile.directives("no-such-option")
        directive.zones, directive.block, directive.opened = (b"\0",), [unknown], directive.at
        with pytest.raises(ConfigError) as caught:
            read(plugin, directive)
        if "unexpected" not in caught.value.what:
            known.update(caught.value.expected.removeprefix("one of ").split(", "))
    return known


@PAGE
def test_the_options_are_those_of_the_syntax(name: str) -> None:
    documented = documented_options(name)
    if name not in FREE:
        known = known_options(name)
        assert documented <= known
        for option in known - documented:
            assert f"`{option}`" in PAGES[name], "it is refused by name, and the page says so"
    syntax = section(PAGES[name], "Syntax")
    for option in documented:
        assert f"`{option}" in syntax, f"{option} is explained"


# --- the rest of what is written ---


def test_corefile_example_starts_as_it_is_and_answers(corepy_command: Start, free_port: FreePort) -> None:
    port, upstream = free_port(), free_port()
    text = (ROOT / "Corefile.example").read_text()
    assert text.count("10530") == 2, "the upstream, and who asks it"
    # As it is, but for the one port that it names: two runs of the tests may stand beside each other.
    running = corepy_command("-conf", "stdin", "-p", str(port), stdin=text.replace("10530", str(upstream)).encode())
    running.until("corepy-")
    for transport in ("udp", "tcp"):
        for name in ("whoami.example", "example.org"):
            reply = ask("127.0.0.1", port, name, transport=transport)
            assert reply.rcode == codes.NOERROR
            assert str(reply.record.ar[0].rdata) == "127.0.0.1"


def test_the_commands_of_the_readme_are_there() -> None:
    text = (ROOT / "README.md").read_text()
    [run, test] = [block for block in blocks(text, "sh") if block.startswith("python3 -m venv")]
    assert "pip install ." in run
    assert "-conf Corefile.example -p 1053" in run
    assert "pip install '.[test]'" in test
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(requirement.startswith("pytest") for requirement in extras["test"])


def test_links_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/README.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target}"


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == corepy.__version__
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## (Unreleased|\[?{re.escape(corepy.__version__)}\b)", changes, re.MULTILINE)
