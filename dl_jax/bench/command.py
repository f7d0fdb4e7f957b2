"""`dl-jax bench`: what is asked for is checked, measured row by row, and kept however it ends."""

import argparse
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from dl_jax.bench.asked import cases_of, command_of
from dl_jax.bench.console import as_text
from dl_jax.bench.progress import progress
from dl_jax.bench.record import new_record
from dl_jax.bench.record_file import check_target, write_record
from dl_jax.bench.stages import no_persistent_cache
from dl_jax.bench.sweep import measure_all
from dl_jax.report.page_folder import page_folder
from dl_jax.report.run_folder import json_text
from dl_jax.train.gpu_graphs import convolutions_in_graphs
from dl_jax.train.kept_memory import keep_freed_memory

DEFAULT_REPEATS = 20


def run(options: argparse.Namespace) -> int:
    """Measure what was asked for, and print, write and draw what came of it.

    Returns:
        0; 1 where JAX could not run a row, for another reason than memory; 130 where it was
        interrupted, with the rows that were finished.

    Raises:
        ValueError: for what there is not, before anything is measured.
        OSError: where real data are not to be had; where results cannot be written, after what was
            measured is printed.
    """
    keep_freed_memory()
    with convolutions_in_graphs():  # which finds the devices
        cases = cases_of(options)
    to_stdout = options.json == "-"
    path = Path(options.json).expanduser() if options.json and not to_stdout else None
    if path:
        check_target(path)
    folder = page_folder(options.page, "bench")
    record = new_record(command_of(options))

    def keep() -> None:
        if path and (record["rows"] or record["status"] == "finished"):
            write_record(path, record)

    def keep_a_row() -> None:
        with suppress(OSError):  # no reason to measure no more: the end tries again, and says so
            keep()

    def draw(stopped: str) -> None:
        if folder:
            from dl_jax.bench.page import write_bench_page

            print(f"Page: {write_bench_page(folder, record, stopped)}", file=sys.stderr)

    def report(stopped: str = "") -> list[str]:
        """Write, print and draw what there is; what of it could not be written."""
        failed = _failure(keep, f"--json {path}")
        if to_stdout:
            sys.stdout.write(json_text(record))
        else:
            print(as_text(record, stopped))
        return failed + _failure(lambda: draw(stopped), f"--page {folder}")

    try:
        with progress() as show, no_persistent_cache():
            measure_all(
                cases, record, repeats=options.repeats or DEFAULT_REPEATS, peers=options.peers,
                keep=keep_a_row, show=show,
            )  # fmt: skip
        record["status"] = "finished"
    except KeyboardInterrupt:
        _complain(report("interrupted"))
        return 130
    except Exception as error:
        if record["rows"]:
            _complain(report(f"ended by an error ({type(error).__name__})"))
        elif folder:
            folder.rmdir()  # there is nothing to show in it
        raise
    if failed := report():
        raise OSError("\n".join(failed))
    return int(any(row["status"] == "failed" for row in record["rows"]))


def _failure(write: Callable[[], None], what: str) -> list[str]:
    """Why something could not be written; nothing if it was."""
    try:
        write()
    except OSError as error:
        why = error.strerror or error
        return [f"{what}: cannot be written ({why}); what was measured is printed above"]
    return []


def _complain(failed: Iterable[str]) -> None:
    for line in failed:
        print(f"dl-jax bench: {line}", file=sys.stderr)
