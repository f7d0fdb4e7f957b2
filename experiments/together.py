"""Several experiments one after the other, with one page over all of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from dl_jax import report
from experiments.record import Record
from experiments.recording import Interrupted


def run_together(
    name: str,
    experiments: Mapping[str, Callable[[Path], Record]],
    out: Path | None,
    *,
    title: str,
    description: str,
    command: str,
) -> list[report.Result]:
    """Run every experiment in a folder of its own, and write one page over all of them.

    Whatever stops one of them, the page holds those that finished and says which did not run.

    Args:
        name: of the folder, `runs/NAME-N`, unless `out` names it.
        experiments: each as a function of its run folder.
        out: the folder that the user asked for.
        title: the page's heading.
        description: a sentence below it.
        command: the command line that repeats all of them.
    """
    folder = report.make_run_folder(out, name)
    records: list[Record] = []
    try:
        for experiment, run in experiments.items():
            print(f"\n{experiment}")
            records.append(run(folder / experiment))
    except BaseException as error:
        if isinstance(error, Interrupted):
            records.append(error.record)
        left = list(experiments)[len(records) :]
        description = f"Stopped early; not run: {', '.join(left) or 'none'}."
        raise
    finally:
        results = [record.result for record in records]
        if records:
            page = report.write_index(
                folder,
                [(record.result, record.pictures) for record in records],
                title=title,
                description=description,
                command=command,
            )
            report.print_results(results)
            print(f"Page: {page}")
    return results
