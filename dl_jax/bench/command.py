"""`dl-jax bench`: what is asked for is checked, measured row by row, and kept however it ends."""

import argparse
import sys
from pathlib import Path

from dl_jax.bench.asked import cases_of, command_of
from dl_jax.bench.console import as_text
from dl_jax.bench.page_folder import need_matplotlib
from dl_jax.bench.progress import progress
from dl_jax.bench.record import new_record
from dl_jax.bench.record_file import check_target, write_record
from dl_jax.bench.stages import no_persistent_cache
from dl_jax.bench.sweep import measure_all
from dl_jax.report.run_folder import json_text, make_run_folder

DEFAULT_REPEATS = 20


def run(options: argparse.Namespace) -> int:
    """Measure what was asked for, and print, write and draw what came of it.

    Returns:
        0; 1 where JAX could not run a row, for another reason than memory; 130 where it was
        interrupted, with the rows that were finished.

    Raises:
        ValueError: for what there is not, before anything is measured.
        OSError: where results cannot be written, or real data are not to be had.
    """
    cases = cases_of(options)
    to_stdout = options.json == "-"
    path = Path(options.json).expanduser() if options.json and not to_stdout else None
    if path:
        check_target(path)
    if options.page:
        need_matplotlib()
    record = new_record(command_of(options))
    folder = make_run_folder(Path(options.page), "bench") if options.page else None

    def keep() -> None:
        if path and (record["rows"] or record["status"] == "finished"):
            write_record(path, record)

    def report() -> None:
        if to_stdout:
            sys.stdout.write(json_text(record))
        else:
            print(as_text(record))
        if folder:
            from dl_jax.bench.page import write_bench_page

            print(f"Page: {write_bench_page(folder, record)}", file=sys.stderr)

    try:
        with progress() as show, no_persistent_cache():
            measure_all(
                cases, record, repeats=options.repeats or DEFAULT_REPEATS, peers=options.peers,
                keep=keep, show=show,
            )  # fmt: skip
        record["status"] = "finished"
    except KeyboardInterrupt:  # the rows so far are kept already
        report()
        return 130
    except Exception:
        if record["rows"]:
            report()
        raise
    keep()
    report()
    return int(any(row["status"] == "failed" for row in record["rows"]))
