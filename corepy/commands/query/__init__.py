"""`corepy query`: a small dig over UDP, TCP and TLS, which sends PROXY headers in every way that servers meet."""

from corepy.commands.query.ask import main
from corepy.commands.query.options import read

__all__ = ["main", "read"]
