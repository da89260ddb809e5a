"""A Corefile that is being served, however that is done: what a test asks of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from corepy.testing.answer import Answer
from corepy.testing.client import PATIENCE
from corepy.testing.loopback import Upstreams
from corepy.testing.session import Session, Source, is_own

if TYPE_CHECKING:
    from corepy.testing.witness import Witness


class Unsupported(Exception):  # noqa: N818 - it says what is, nobody has made a mistake
    """What cannot be had of the server that runs: the text says why, and where it can."""


class Served(ABC):
    """A running server; stop it, or use it in a `with`. `upstreams` are the fakes that stand behind it."""

    upstreams: Upstreams
    answers: list[Answer]
    """What it answered to `ask`, in order."""
    witness: Witness | None = None
    """Sees what plugins do, where they do it in this process."""
    stands_still: bool = False
    """Whether its time only passes when the test says so."""

    def ask(
        self, name: str, qtype: str = "A", *, transport: str = "udp", client: str = "", proxy: Source = b"",
        host: str = "127.0.0.1", port: int = 53, timeout: float = PATIENCE, **more: Any,
    ) -> Answer:
        """Ask one question.

        `client` is the address that it comes from: the server believes it, or Unsupported is raised. `proxy` sends a
        PROXY header of version 2 for an address, or (address, port), and leaves it to the server what it makes of
        that. `port` is the port in the Corefile. `more` is `edns=SIZE`, `do=True`, `flags=`, `qclass=`, `options=`.
        Raises TimeoutError where no reply comes within `timeout` seconds.
        """
        own = is_own(client)
        source = client if own else ""
        with self.session(transport, host=host, port=port, source=source, timeout=timeout) as session:
            if client and not own:
                proxy = self._speak_for(client, session, port) or proxy
            try:
                answer = session.ask(name, qtype, proxy=proxy, **more)
            except TimeoutError:
                why = "; its time stands still, and so it waits for upstreams" * self.stands_still
                done = str(session.statement() or "")
                plugins = f"\nwhat plugins did:\n{done}" if done else ""
                what = f"no reply to {name} {qtype} over {transport} in {timeout:g} seconds{why}{plugins}"
                raise TimeoutError(what) from None
        self.answers.append(answer)
        return answer

    def session(
        self, transport: str, *, host: str = "127.0.0.1", port: int = 53, source: str = "", timeout: float = PATIENCE
    ) -> Session:
        """A socket for several questions, with PROXY headers before, between and without them."""
        real = self.port(port)
        return Session(
            host, real, transport, self.upstreams, source=source, timeout=timeout, witness=self.witness
        )  # fmt: skip

    def udp(self, **where: Any) -> Session:
        """A UDP socket; `where` is for `session`."""
        return self.session("udp", **where)

    def tcp(self, **where: Any) -> Session:
        """A TCP connection; `where` is for `session`."""
        return self.session("tcp", **where)

    @abstractmethod
    def port(self, written: int = 53) -> int:
        """The port that stands for one of the Corefile's. Raises KeyError for one that it does not have."""

    @property
    @abstractmethod
    def output(self) -> list[str]:
        """The lines that the server has written so far."""

    @abstractmethod
    def reload(self, text: str) -> None:
        """Serve another Corefile in place of this one. Raises ConfigError where that cannot be; the old one goes on."""

    @abstractmethod
    def stop(self) -> None:
        """Answer what has been accepted and end; harmless when it has ended."""

    @abstractmethod
    def _speak_for(self, client: str, session: Session, port: int) -> bytes:
        """Make the server take the session for this client; the PROXY header that does, if it is one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()


__all__ = ["Served", "Unsupported"]
