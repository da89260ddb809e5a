"""forward - asks other servers and relays their replies."""

from corepy.plugins.forward.forward import Forward

__all__ = ["Forward"]
