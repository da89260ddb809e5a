"""How the certificates of TLS upstreams are checked, and with which one we identify ourselves."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path


def client_context(files: Sequence[str | Path], alpn: Sequence[str] = ()) -> ssl.SSLContext:
    """A context from the arguments of CoreDNS's `tls`: none, CA, CERT KEY, or CERT KEY CA.

    Without a CA those of the system are trusted. `alpn` are the protocols to offer (RFC 7301). Raises ValueError where
    a file cannot be used.
    """
    files = [str(name) for name in files]
    authority = files[-1] if len(files) in (1, 3) else None
    for name in files:
        try:
            Path(name).open("rb").close()
        except OSError as error:
            raise ValueError(f"cannot read {name!r}: {error.strerror}") from None
    try:
        context = ssl.create_default_context(cafile=authority)
    except ssl.SSLError as error:
        raise ValueError(f"no certificates in {authority!r}: {error}") from None
    if len(files) > 1:
        try:
            context.load_cert_chain(files[0], files[1])
        except ssl.SSLError as error:
            raise ValueError(f"certificate {files[0]!r} and key {files[1]!r} cannot be used: {error}") from None
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context
