"""Progress on stderr, of work that takes longer than two seconds."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE = 2.0


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Yield `show(text)`, which says what is being done.

    Nothing is written at that moment, so that the clock is not disturbed by it: every two seconds
    the latest text is, if it is a new one. On a terminal it takes the place of the one before.
    """
    done, latest = threading.Event(), [""]
    terminal = sys.stderr.isatty()

    def write() -> None:
        shown = ""
        while not done.wait(_PATIENCE):
            if latest[0] != shown:
                shown = latest[0]
                text = f"\r\x1b[K{shown[:78]}" if terminal else f"{shown}\n"
                print(text, end="", file=sys.stderr, flush=True)
        if terminal and shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def show(text: str) -> None:
        latest[0] = text

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield show
    finally:
        done.set()
        writer.join()
