"""How a process is told to end, and how long it may take."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType

GRACE_S, LAST_S = 30.0, 30  # to end in order; after a third signal


class StopFlag:
    """SIGINT, SIGTERM and a closed terminal (but under `nohup`) as a flag for a loop that has ``asked()`` within the
    last half minute, else as ``KeyboardInterrupt``. The second signal is ignored (a terminal and a launcher often send
    one each, and the state is being saved). The third interrupts whatever happens; then the kernel ends the rest."""

    def __init__(self) -> None:
        self.signals, self._last_asked = 0, float("-inf")

    def install(self) -> StopFlag:
        """Take over these signals of this process."""
        hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
        for number in (signal.SIGINT, signal.SIGTERM, *hangup):
            signal.signal(number, self._receive)
        sys.unraisablehook = self._raise_later
        return self

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1
        polled = time.monotonic() - self._last_asked < GRACE_S
        if self.signals == 3:
            signal.alarm(LAST_S)
        if (self.signals == 1 and not polled) or self.signals == 3:
            raise KeyboardInterrupt

    def _raise_later(self, lost: sys.UnraisableHookArgs) -> None:
        """Python drops what is raised while it finalises an object; a signal that came then is sent once more."""
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            return sys.__unraisablehook__(lost)
        self.signals -= 1
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()

    def asked(self) -> bool:
        """Whether to stop: a loop that asks is trusted to ask again soon, to save its state and to leave."""
        self._last_asked = time.monotonic()
        return self.signals > 0

    def check(self) -> None:
        """Raise ``KeyboardInterrupt`` when a signal has come that no loop acted on; from now on one interrupts."""
        self._last_asked = float("-inf")
        if self.signals:
            raise KeyboardInterrupt
