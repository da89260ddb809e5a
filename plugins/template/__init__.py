"""template - answers with records made from the question."""

from corepy.plugins.template.template import Templates

__all__ = ["Templates"]
