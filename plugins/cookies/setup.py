"""Read the block of `cookies`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from corepy.keys import parse_network
from corepy.networks import NetworkSet
from corepy.plugin import Directive
from corepy.plugins.cookies.jar import MOST_SECRETS, SECRET, read_secret
from corepy.seed import derived

_DAY: Final = 86400
"""Seconds that a secret of the server's own is used: an administrator is told to change one every month (RFC 9018 5),
and for us it is no work."""
_SHORTEST: Final = 3600
"""Seconds that a secret is used at least: as long as a cookie is good."""
_EVERYBODY: Final = ("0.0.0.0/0", "::/0")
_OPTIONS: Final = ("secret", "secret_file", "rotate", "require")


def read(directive: Directive) -> dict[str, Any]:
    """The fields of the plugin: `cookies` and its block, in which each option may stand once."""
    fields: dict[str, Any] = {"at": directive.at}
    file: Directive | None = None
    directive.no_more()
    for option in directive.options(*_OPTIONS, once=_OPTIONS):
        match option.name:
            case "secret":
                fields["secrets"] = _secrets(option)
            case "secret_file":
                file = option
                fields["path"], fields["at"] = Path(option.word("a file name")), option.arguments[0].at
            case "rotate":
                fields["rotate"] = int(option.duration(minimum=_SHORTEST))
            case _:
                networks = option.networks(0, addresses=True)
                fields["demand"] = NetworkSet(networks or map(parse_network, _EVERYBODY))
    if "secrets" in fields and file is not None:
        raise file.error("'secret_file' given beside 'secret'", expected="one of them")
    if not fields.keys() & {"secrets", "path", "rotate"}:
        fields["rotate"] = _DAY
    return fields


def own_secret() -> bytes:
    """The secret of this server and all its workers, where none is given."""
    return derived("cookies", SECRET)


def _secrets(option: Directive) -> tuple[bytes, ...]:
    expected = f"a secret of {2 * SECRET} hexadecimal digits"
    words = option.words(expected, 1)
    if len(words) > MOST_SECRETS:
        raise option.error(f"{len(words)} secrets", words[MOST_SECRETS], f"at most {MOST_SECRETS}")
    found = []
    for word in words:
        try:
            found.append(read_secret(word))
        except ValueError:
            raise option.error("no secret", word, expected) from None   # the word may be one: it is not repeated
    return tuple(found)
