"""A progress bar for work that turns out to be long."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")

_PATIENCE = 2.0


def track(items: Iterable[_T], description: str, total: int) -> Iterator[_T]:
    """Yield `items`; on a terminal, show a bar on stderr once two seconds have passed.

    Args:
        items: what to go through.
        description: the words beside the bar.
        total: the number of items.
    """
    bar = task = None
    start = time.monotonic()
    try:
        for done, item in enumerate(items):
            if bar is None and time.monotonic() - start > _PATIENCE and (bar := _bar()):
                bar.start()
                task = bar.add_task(description, total=total)
            if bar is not None and task is not None:
                bar.update(task, completed=done)
            yield item
    finally:
        if bar is not None:
            bar.stop()


def _bar():
    if not sys.stderr.isatty():
        return None
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        return None
    return Progress(console=Console(stderr=True), transient=True)
