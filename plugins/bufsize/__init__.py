"""bufsize - limits how large replies over UDP may be."""

from corepy.plugins.bufsize.bufsize import Bufsize

__all__ = ["Bufsize"]
