"""pprof - shows where time and memory of the running server go."""

from corepy.plugins.pprof.pprof import Pprof

__all__ = ["Pprof"]
