"""acl - allows, blocks, filters or drops queries by who asks for what."""

from corepy.plugins.acl.acl import Acl

__all__ = ["Acl"]
