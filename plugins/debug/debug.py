"""Ask for the lines that are only of interest to someone who looks for a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corepy.plugin import Plugin

if TYPE_CHECKING:
    from corepy.site import Site


class Debug(Plugin):
    """Debug lines, for the whole process as in CoreDNS; given twice it says the same."""

    def configure(self, site: Site) -> None:
        """Tell the core, which switches them on when the configuration goes into service, and off with it."""
        site.debug = True
