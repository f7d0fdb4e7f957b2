"""The progress bar of `fit`."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from dl_jax.train.step import Metrics

Advance = Callable[[int, Metrics, int], None]


@contextmanager
def progress_bar(num_epochs: int, size: int, *, show: bool, seen: int = 0) -> Iterator[Advance]:
    """Yield `advance(examples, totals, of_epoch)`, which moves the bar.

    The bar shows the epoch, its loss and accuracy so far, examples per second and the time left.
    There is none where it would not be seen: output that is no terminal, or rich not installed.

    Args:
        num_epochs: of the whole run.
        size: examples an epoch.
        show: False for no bar at all.
        seen: examples before this call, in a run that goes on.
    """
    if not (show and sys.stderr.isatty() and find_spec("rich")):
        yield lambda examples, totals, of_epoch: None
        return

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch {task.fields[epoch]}/" + str(num_epochs)),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(
            "", total=num_epochs * size, completed=seen, epoch=seen // size + 1, figures=""
        )
        done, started = seen, time.perf_counter()

        def advance(examples: int, totals: Metrics, of_epoch: int) -> None:
            nonlocal done
            shown = {k: v for k, v in totals.items() if k not in ("skipped", "left_out")}
            figures = [f"{name} {float(total) / of_epoch:.4f}" for name, total in shown.items()]
            done += examples
            rate = (done - seen) / (time.perf_counter() - started)
            bar.update(
                task,
                completed=done,
                epoch=(done - 1) // size + 1,
                figures="  ".join([*figures, f"{rate:,.0f} examples/s"]),
            )

        yield advance
