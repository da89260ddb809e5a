"""The laws of the house, as CONTRIBUTING.md states them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from corepy import plugin

ROOT = Path(__file__).parents[1]
CORE = sorted(path for path in (ROOT / "corepy").rglob("*.py") if "plugins" not in path.relative_to(ROOT).parts)
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

LONG: dict[str, str] = {}
"""Source files of more than 400 lines, each with the reason why it is one thing."""

UNMIRRORED: dict[str, str] = {
    "__main__": "is run by test_process.py, as a command",
    "httpconnection": "is a client of what test_http.py opens",
    "origin": "is what a plugin and the process agree on: test_reload.py",
    "worker": "is a process of its own: test_workers.py",
}
"""Modules without a test file of their own, each with the reason."""

KNOW_DNSLIB = {"dnsrecords"}
KNOW_LARK = {"corefile"}
KNOW_SOCKETS = {
    "control", "datagram", "http", "ports", "server", "sockets", "stream", "systemd", "testing", "upstream", "watched",
    "webguard", "worker", "workers",
}  # fmt: skip
"""Modules and packages that talk to the network or watch something outside."""
KNOW_THE_LOOP = KNOW_SOCKETS | {
    "clock", "commands", "deferred", "front", "httpclient", "httpconnection", "process", "profiles", "__main__",
}  # fmt: skip
SERVER = {
    "chain", "control", "datagram", "flags", "front", "listener", "ports", "process", "registry", "router", "server",
    "site", "sockets", "source", "stream", "succession", "worker", "workers",
}  # fmt: skip
"""What serves plugins, and is no business of theirs."""
TEXT_FUNCTIONS = {"AF_INET", "AF_INET6", "if_nametoindex", "if_indextoname", "if_nameindex", "inet_ntop", "inet_pton"}
"""What `socket` has that opens nothing; anyone may turn an address into octets."""


def name(path: Path) -> str:
    """A path for messages."""
    return str(path.relative_to(ROOT))


def unit(path: Path) -> str:
    """The module directly below corepy/ that a file belongs to."""
    return path.relative_to(ROOT / "corepy").parts[0].removesuffix(".py")


UNITS = {unit(path) for path in CORE} - {"__init__"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path, *, typing: bool = True) -> Iterator[tuple[str, set[str]]]:
    """Modules that a file imports, with the names it takes from them; without those for type checkers on request."""
    hidden: set[ast.AST] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            hidden.update(each for statement in node.body for each in ast.walk(statement))
    for node in ast.walk(tree(path)):
        if not typing and node in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, set()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: imports are written in full"
            yield node.module or "", {alias.name for alias in node.names}


def units_imported(path: Path, *, typing: bool = False) -> set[str]:
    """The modules directly below corepy/ that a file imports."""
    found = set()
    for module, names in imports(path, typing=typing):
        if module == "corepy":
            found |= {each for each in names if (ROOT / "corepy" / f"{each}.py").exists() or _is_package(each)}
        elif module.startswith("corepy."):
            found.add(module.split(".")[1])
    return found


def _is_package(each: str) -> bool:
    return (ROOT / "corepy" / each / "__init__.py").exists()


def layers() -> dict[str, int]:
    """The table of CONTRIBUTING.md: the layer of each module."""
    return {module: layer for layer, modules in rows() for module in modules}


def rows() -> list[tuple[int, list[str]]]:
    """The table as it stands: each layer with its modules."""
    found = re.findall(r"^\| (\d+) \| (.*) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    return [(int(number), re.findall(r"`(\w+)`", modules)) for number, modules in found]


# --- imports ---


def test_the_table_has_every_module_once() -> None:
    assert sorted(module for _, modules in rows() for module in modules) == sorted(UNITS)


@pytest.mark.parametrize("path", CORE, ids=name)
def test_imports_point_one_way(path: Path) -> None:
    table, mine = layers(), unit(path)
    if mine == "__init__":
        assert not units_imported(path)
        return
    for other in units_imported(path) - {mine, "plugins"}:
        if other in table and mine in table:  # the test above tells which are not
            assert table[other] <= table[mine], f"{mine} imports {other}, which is above it"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in CORE:
        graph.setdefault(unit(path), set()).update(units_imported(path) - {unit(path), "plugins"})
    done: set[str] = set()
    while left := [module for module in graph if module not in done]:
        free = [module for module in left if graph[module] <= done]
        assert free, f"a circle among {left}"
        done.update(free)


@pytest.mark.parametrize("path", CORE + PLUGINS, ids=name)
def test_few_know_dnslib_lark_sockets_and_the_event_loop(path: Path) -> None:
    mine = unit(path) if path in CORE else ""
    for module, names in imports(path, typing=False):
        top = module.partition(".")[0]
        if top == "dnslib":
            assert mine in KNOW_DNSLIB or not mine, "dnsrecords.py alone"
        elif top == "lark":
            assert mine in KNOW_LARK
        elif top in ("ctypes", "select", "selectors", "ssl"):
            assert mine in KNOW_SOCKETS
        elif top == "socket":
            assert mine in KNOW_SOCKETS or (names and names <= TEXT_FUNCTIONS) or mine == "interfaces"
        elif top == "asyncio":
            assert mine in KNOW_THE_LOOP
        elif top in ("uvloop", "threading", "multiprocessing"):
            assert mine in ("testing", "process", "server", "profiles")


@pytest.mark.parametrize("path", PLUGINS, ids=name)
def test_a_plugin_knows_the_authors_page_and_shared_modules_but_no_server_and_no_other_plugin(path: Path) -> None:
    if path.parent == ROOT / "plugins":
        assert not list(imports(path))
        return
    own = path.relative_to(ROOT / "plugins").parts[0]
    for module, names in imports(path, typing=False):
        if module.startswith("corepy.plugins"):
            assert module.startswith(f"corepy.plugins.{own}"), f"{module} is another plugin"
        assert not (module == "corepy" and "plugins" in names)
    assert not units_imported(path) & SERVER
    # What only a type checker reads may name the site that a plugin shapes.
    assert not units_imported(path, typing=True) & (SERVER - {"site"})


@pytest.mark.parametrize("path", CORE, ids=name)
def test_the_core_names_no_plugin(path: Path) -> None:
    for module, _ in imports(path):
        assert not module.startswith("corepy.plugins.")
        assert module != "corepy.plugins" or unit(path) == "registry"
    if unit(path) == "order":
        return
    folders = {each.name for each in (ROOT / "plugins").iterdir() if (each / "__init__.py").exists()}
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Compare):  # the shape of `if plugin.name == "forward"`
            asked = {ast.unparse(side) for side in (node.left, *node.comparators)}
            literals = {each.value for each in ast.walk(node) if isinstance(each, ast.Constant)}
            if any(side.endswith(".name") for side in asked):
                assert not literals & folders, f"line {node.lineno}"


# --- size ---


def test_the_authors_page_is_a_page() -> None:
    assert len((ROOT / "corepy/plugin.py").read_text().splitlines()) <= 120
    assert len(plugin.__all__) <= 12


def test_the_chain_is_a_fold() -> None:
    [fold] = [node for node in tree(ROOT / "corepy/chain.py").body if isinstance(node, ast.FunctionDef)][:1]
    assert len(fold.body) <= 6, "with its docstring"


@pytest.mark.parametrize("path", CORE + PLUGINS, ids=name)
def test_a_file_is_one_thing(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= 400 or name(path) in LONG


def test_every_exception_is_needed() -> None:
    assert set(UNMIRRORED) <= UNITS
    for listed in LONG:
        assert len((ROOT / listed).read_text().splitlines()) > 400


# --- tests ---


@pytest.mark.parametrize("mine", sorted(UNITS - set(UNMIRRORED)))
def test_every_module_has_its_tests(mine: str) -> None:
    """A module has a file of tests, a package a file or a folder."""
    assert (ROOT / "tests" / f"test_{mine}.py").exists() or (ROOT / "tests" / mine).is_dir()


@pytest.mark.parametrize("folder", sorted({path.parent for path in PLUGINS} - {ROOT / "plugins"}), ids=name)
def test_every_plugin_has_its_tests(folder: Path) -> None:
    assert (ROOT / "tests/plugins" / f"test_{folder.name}.py").exists()


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_tests_do_not_sleep(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        assert called not in ("time.sleep", "sleep"), f"line {node.lineno}"
        if called == "asyncio.sleep":
            assert ast.unparse(node.args[0]) == "0", f"line {node.lineno}"


# --- words ---

_PRIVATE = re.compile(r"(?<![\w.-])/(work|tmp|root|home)/|\bTODO\b|\bFIXME\b|\bXXX\b")


@pytest.mark.parametrize("path", CORE + PLUGINS + TESTS, ids=name)
def test_no_path_of_a_machine_and_nothing_left_to_do(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        assert not _PRIVATE.search(line) or "_PRIVATE" in line, f"line {number}"


@pytest.mark.parametrize("path", CORE + PLUGINS, ids=name)
def test_every_file_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path)), "a docstring"


@pytest.mark.parametrize("path", CORE, ids=name)
def test_every_bound_has_its_reason(path: Path) -> None:
    """A number by name: a comment or docstring stands above, beside or below it, or a group shares one."""
    lines = path.read_text().splitlines()
    body = tree(path).body
    for index, node in enumerate(body):
        if not isinstance(node, ast.AnnAssign) or ast.unparse(node.annotation) != "Final":
            continue
        if not isinstance(node.value, ast.Constant) or not isinstance(node.value.value, int | float):
            continue
        if isinstance(node.value.value, bool) or unit(path) in NUMBERS_OF_THE_WIRE or "0x" in lines[node.lineno - 1]:
            continue
        after = body[index + 1] if index + 1 < len(body) else None
        explained = (
            (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant))
            or "#" in lines[node.lineno - 1]
            or lines[node.lineno - 2].lstrip().startswith("#")
        )
        assert explained, f"line {node.lineno}: {ast.unparse(node.target)}"


NUMBERS_OF_THE_WIRE = {"codes", "wire", "proxyproto", "datagram", "records", "gotemplate"}
"""Modules whose constants are those of a format, named as its specification has them."""
