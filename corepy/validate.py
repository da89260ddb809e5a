"""Prove a Corefile without serving it: all that is wrong with it, and what is seldom meant.

What reads, imports, parses and configures here is what serves. Beyond that, plugins are asked what only files can tell
(`Plugin.check`), and the linter's rules are looked through. No socket is opened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from corepy import corefile, registry, site
from corepy.corefile import Corefile, Unclosed
from corepy.directive import unknown_directive
from corepy.errors import ConfigError
from corepy.lint import Block, lint
from corepy.log import Log
from corepy.silence import silence
from corepy.source import NotFound, Source


def validate(source: Source, ignore: Collection[str] = ()) -> list[ConfigError]:
    """Every mistake and every warning (`ConfigWarning`), each once, in the order of the files. Raises nothing.

    Rules whose ids are in `ignore` do not warn, nor do those that comments of the Corefile ignore (`silence`).
    """
    try:
        text = source.fetch("loading Caddyfile via flag")
    except NotFound as error:
        return [ConfigError(str(error))]
    parsed = corefile.read(text, source.name)
    with _quiet():
        sites, _, errors = site.draft(parsed, default_port=source.port)
        found = [*errors, *_unknown(parsed), *_checked(parsed, sites), *lint(parsed, sites)]
    credible = [error for error in found if _is_credible(error, parsed)]
    each = {(error.at, error.what): error for error in [*credible, *parsed.errors]}
    texts = {source.name: text} | {name: _again(name) for name in parsed.files[1:]}
    return site.in_order(silence(list(each.values()), texts, ignore), parsed.files)


def _again(imported: str) -> bytes:
    """The text of a file that has been imported, for what its comments say; nothing where it has gone since."""
    with suppress(OSError):
        return Path(imported).read_bytes()
    return b""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep plugins from the log, which may be where the findings go: who has something to say has `check`."""
    before = Log.silent
    Log.silent = True
    try:
        yield
    finally:
        Log.silent = before


def _unknown(parsed: Corefile) -> Iterator[ConfigError]:
    """Directives that nobody knows, wherever they stand."""
    known = registry.known()
    for block in parsed.blocks:
        yield from (unknown_directive(each, known) for each in block.directives if each.name not in known)


def _checked(parsed: Corefile, sites: list[site.Site]) -> Iterator[ConfigError]:
    """What the plugins find when they look at themselves."""
    for written, made in zip(parsed.blocks, sites, strict=True):
        for directives, plugin in Block(written, made).plugins():
            try:
                for error in plugin.check([directive.unread() for directive in directives], made):
                    yield error.locate(directives[0].at, plugin.name)
            except ConfigError as error:
                yield error.locate(directives[0].at, plugin.name)


def _is_credible(error: ConfigError, parsed: Corefile) -> bool:
    """Whether an error does not merely follow from a block without an end, which takes in what stands below it."""
    return not any(
        isinstance(mistake, Unclosed) and error.at
        and mistake.opened.file == error.at.file and mistake.opened.line < error.at.line
        for mistake in parsed.errors
    )  # fmt: skip
