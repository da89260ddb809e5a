"""cookies - DNS cookies: clients show that they are where they say to be."""

from corepy.plugins.cookies.cookies import Cookies

__all__ = ["Cookies"]
