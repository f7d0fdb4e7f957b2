"""Ctrl-C between two stages of a measurement, and not within one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Show = Callable[[str], None]


@contextmanager
def held_back(show: Show) -> Iterator[Show]:
    """Yield a `show` that raises the KeyboardInterrupt which Ctrl-C asked for since the last one.

    JAX does not stop what it compiles or computes anyway; and an interruption in the midst of it
    is now and then lost in a callback (JAX issue 18246), or ends the process with a segmentation
    fault at exit. Whoever presses Ctrl-C a second time gets it at once all the same.

    Args:
        show: told what is being done; called between stages.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler or (
        threading.current_thread() is not threading.main_thread()
    ):
        yield show  # somebody else has decided what Ctrl-C does
        return
    pressed = False

    def handle(signum: int, frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True
        show("interrupted, this stage is the last one; Ctrl-C again to stop at once")

    def checked(text: str) -> None:
        if pressed:
            raise KeyboardInterrupt
        show(text)

    signal.signal(signal.SIGINT, handle)
    try:
        yield checked
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt
