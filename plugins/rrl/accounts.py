"""Accounts of who was sent what: each reply is a debit, and time is the credit."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

SECOND: Final = 1_000_000_000
"""Times are whole nanoseconds: what is added up thousands of times has to come out even."""


class Verdict(Enum):
    """What becomes of a reply."""

    SEND = auto()
    DROP = auto()
    SLIP = auto()
    """It is sent, but without its contents."""


_SEND: Final = Verdict.SEND   # looked up in its class it costs a tenth of a microsecond


class Accounts:
    """At most `capacity` accounts, by hash; what finds no room is not limited.

    An account is the time at which its credit was or will be nothing: time passes, and the credit grows. It is never
    more than a second's worth, or one reply where less than one a second is allowed, and never less than `window` ago,
    in nanoseconds. Of the replies that are over the limit each `slip`-th slips through; none for 0.
    """

    def __init__(self, window: int, capacity: int, slip: int) -> None:
        self._window = window
        self._capacity = capacity
        self._slip = slip
        self._most = SECOND
        """The most credit that an account has had."""
        self._even: dict[int, int] = {}
        self._dropped: dict[int, int] = {}
        """How many in a row, for those who may slip."""
        self._sweep_due = 0

    def __len__(self) -> int:
        return len(self._even)

    def debit(self, account: int, interval: int, now: int) -> Verdict:
        """One more reply, of which there may be one each `interval`."""
        most = interval if interval > SECOND else SECOND  # noqa: FURB136 - a call would cost more than the rest
        even = self._even.get(account)
        if even is None:
            if len(self._even) < self._capacity or self._make_room(now):
                self._most = max(self._most, most)
                self._even[account] = now - most + interval
            return _SEND
        credit = min(now - even, most) - interval
        if credit >= 0:
            self._even[account] = now - credit
            return _SEND
        self._even[account] = now - max(credit, -self._window)
        if not self._slip:
            return Verdict.DROP
        dropped = self._dropped.get(account, 0) + 1
        self._dropped[account] = dropped % self._slip
        return Verdict.DROP if dropped % self._slip else Verdict.SLIP

    def _make_room(self, now: int) -> bool:
        """Forget accounts that have all the credit there is, as new ones would; whether there is room then.

        Once a second at the most: a look at 100,000 accounts takes tens of milliseconds.
        """
        if now < self._sweep_due:
            return False
        self._sweep_due = now + SECOND
        self._even = {account: even for account, even in self._even.items() if now - even < self._most}
        self._dropped = {account: dropped for account, dropped in self._dropped.items() if account in self._even}
        return len(self._even) < self._capacity
