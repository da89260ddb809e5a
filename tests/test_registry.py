"""From a directive to its class: built in, from another package, or nobody's."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from corepy import codes, order, registry
from corepy.errors import ConfigError
from corepy.plugin import Plugin

if TYPE_CHECKING:
    from tests.conftest import Serve

README = (Path(__file__).parents[1] / "README.md").read_text()
Install = Callable[..., None]


def forget() -> None:
    """Let the registry look again."""
    registry.installed.cache_clear()
    registry.find.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package of one module that offers these directives, as `install(source, only="Only")`."""

    def add(source: str, module: str = "my_package", **points: str) -> None:
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 1.0\n")
        lines = [f"{name} = {module}{':' if value else ''}{value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[corepy.plugins]", *lines]))
        forget()

    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield add
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
    monkeypatch.undo()
    forget()


def test_every_folder_of_plugins_is_a_directive() -> None:
    folders = {path.parent.name for path in (Path(__file__).parents[1] / "plugins").glob("*/__init__.py")}
    assert registry.built_in() == folders
    for name in folders:
        plugin = registry.find(name)
        assert plugin is not None
        assert issubclass(plugin, Plugin)
        assert registry.origin(name) == "corepy"


def test_what_nobody_has_built_or_nobody_knows_is_nothing() -> None:
    assert registry.find("azure") is None
    assert registry.find("nonsense") is None


def test_known_are_the_directives_of_coredns_whoever_has_built_them() -> None:
    assert set(order.DIRECTIVES) <= set(registry.known())
    assert "nonsense" not in registry.known()


def example(language: str) -> str:
    """The first block of that language below "Write a plugin" in the README."""
    match = re.search(rf"## Write a plugin.*?```{language}\n(.*?)```", README, re.DOTALL)
    assert match is not None
    return match[1]


def test_the_plugin_of_the_readme_is_served_from_another_package(serve: Serve, install: Install) -> None:
    source = example("python")
    assert len([line for line in source.splitlines() if line]) <= 15
    match = re.search(r"^(\w+) = \"(\w+):(\w+)\"$", example("toml"), re.MULTILINE)
    assert match is not None
    name, module, attribute = match.groups()
    install(source, module, **{name: attribute})
    assert name in registry.known()
    assert registry.origin(name) == "my-package"
    running = serve(f". {{\n whoami\n {name} 127.0.0.0/8\n}}\n")
    for transport in ("udp", "tcp"):
        assert running.ask(transport=transport).rcode == codes.NOERROR
        assert running.ask(transport=transport, host="::1").rcode == codes.REFUSED
    with pytest.raises(ConfigError, match=rf"plugin/{name}: Corefile:2:7: invalid argument 'x', expected a network"):
        running.load(f". {{\n {name} x\n}}\n")


ONE = "from corepy.plugin import Plugin\n\n\nclass One(Plugin):\n    before = 'whoami'\n"


def test_an_entry_point_may_name_a_module_with_one_plugin(install: Install) -> None:
    install(ONE, one="")
    found = registry.find("one")
    assert found is not None
    assert found.__name__ == "One"


def test_a_package_may_bring_what_coredns_has_and_we_have_not(serve: Serve, install: Install) -> None:
    install(ONE.replace("    before = 'whoami'\n", "    pass\n"), azure="One")
    assert registry.places(["azure"])[1] == {}
    serve(". {\n azure\n whoami\n}\n")


def test_a_package_cannot_replace_what_is_built_in(install: Install) -> None:
    install(ONE, whoami="One")
    found = registry.find("whoami")
    assert found is not None
    assert found.__name__ == "Whoami"
    assert registry.origin("whoami") == "corepy"


@pytest.mark.parametrize(
    ("source", "attribute", "error"),
    [
        ("import no_such_module", "One", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("this is no Python", "One", "cannot be loaded: SyntaxError: invalid syntax"),
        ("1 / 0", "One", "cannot be loaded: ZeroDivisionError: division by zero"),
        (ONE, "Two", "cannot be loaded: AttributeError: "),
        ("One = 1", "One", "it brings 0 Plugin classes, expected one"),
        ("class One: pass", "One", "it brings 0 Plugin classes, expected one"),
        (ONE + "class Two(Plugin): pass", "", "it brings 2 Plugin classes, expected one"),
        ("", "", "it brings 0 Plugin classes, expected one"),
    ],
)
def test_a_broken_package_is_an_error_where_it_is_named(
    serve: Serve, install: Install, source: str, attribute: str, error: str
) -> None:
    install(source, one=attribute)
    with pytest.raises(ConfigError, match=rf"plugin/one: Corefile:3:2: .*{error}"):
        serve(". {\n whoami\n one\n}\n")
    serve(". {\n whoami\n}\n")  # and nowhere else


def test_places() -> None:
    places, failed = registry.places(["whoami", "errors", "nonsense"])
    assert places["errors"] < places["forward"] < places["whoami"]
    assert failed == {}


def test_packages_are_placed_before_what_they_name_and_the_rest_is_told(install: Install) -> None:
    install(ONE + "\n\nclass Two(Plugin):\n    pass\n", one="One", two="Two")
    places, failed = registry.places(["two", "one", "whoami"])
    assert places["one"] == places["whoami"] - 1
    assert "two" not in places
    assert str(failed["two"]).startswith("plugin/two: the directive 'two' wants to stand before ''")
