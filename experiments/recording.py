"""The run folder: made, written by one process at a time, and whole however the run ends."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import jax

from dl_jax import report
from dl_jax.models.precision import in_precision
from experiments.compilation import kept_programs
from experiments.determinism import is_deterministic
from experiments.folders import check_resumable, resume_command, written_alone
from experiments.options import Output, Training, changed, check, command
from experiments.record import Record

# What becomes of a float32 matrix product where nothing is asked for.
_DEFAULT = {"cpu": "float32", "gpu": "TF32 where the GPU has it", "tpu": "bfloat16"}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after something was finished; carries what was recorded."""

    def __init__(self, record: Record, resume: str = ""):
        """Carry the record, and the command by which the run goes on if there is one."""
        super().__init__()
        self.record, self.resume = record, resume


@contextmanager
def recording(experiment: str, config: Output, title: str, description: str) -> Iterator[Record]:
    """Make the run folder, yield the record, and write `result.json` and the page at the end.

    Whatever interrupts the run, Ctrl-C or an error, they hold the epochs, figures and rows of
    tables that were finished, and the interruption goes on; if there are none, the folder is
    removed again.

    Raises:
        ValueError: for settings that nothing can be run with, as an empty batch.
        RunFolderError: if the folder cannot be made.
        Interrupted: after Ctrl-C, if there is something to keep.
    """
    check(config)
    to_resume = config if isinstance(config, Training) and config.resume else None
    if to_resume:
        folder = check_resumable(to_resume.out, experiment, to_resume)
    else:
        folder = report.make_run_folder(config.out, experiment)
        if config.out is not None and folder != config.out:
            print(f"{config.out} exists and stays as it is; this run goes to {folder}")
    with written_alone(folder) if isinstance(config, Training) else nullcontext():
        if to_resume:  # another process may have finished it meanwhile
            check_resumable(folder, experiment, to_resume)
        with _written(folder, experiment, config, title, description) as record:
            yield record


@contextmanager
def _written(
    folder: Path, experiment: str, config: Output, title: str, description: str
) -> Iterator[Record]:
    """The record in its folder, written at the end; removed where there is nothing in it."""
    changes = changed(config)
    if changes:
        description += f" Not the lecture's settings: {', '.join(changes)}."
    blank = _blank(experiment, config, title, description)
    if not (folder / "config.json").exists():  # of a run that is resumed they are there
        report.write_json(folder / "config.json", blank["config"])
        if isinstance(config, Training):
            running = {**blank, "status": "running"}
            report.write_json(folder / "result.json", running)  # so that it can be resumed
    record = Record(folder, blank, bool(changes), config=config)
    if isinstance(config, Training) and config.tensorboard and not config.resume:
        record.board = report.open_board(folder / "tensorboard")
    try:
        with kept_programs() as programs, in_precision(record.precision):
            record.programs = programs
            yield record
    except BaseException as error:
        if not _has_something(record.result):
            resumable = isinstance(config, Training) and config.resume
            if not (resumable or (folder / "checkpoints").exists()):
                shutil.rmtree(folder)  # it held the configuration alone
            raise
        try:
            _write(record)
        except OSError as other:  # a full disk; what stopped the run is what is to be said
            print(f"{folder}: the page could not be written: {other}")
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(record, _resume(record, experiment)) from error
        raise
    figures = record.result["figures"]
    record.result["status"] = "finished"
    record.result["verdict"] = report.overall(figure["verdict"] for figure in figures)
    try:
        _write(record)
    except OSError as error:  # a full disk
        resume = _resume(record, experiment)
        if resume:
            print(f"{folder}: the page could not be written: {error}; with space, it goes on with")
            print(f"  {resume}")
        raise


def _resume(record: Record, experiment: str) -> str:
    """The command by which a run goes on that was interrupted behind its training."""
    config = record.config
    if not isinstance(config, Training) or not (record.folder / "checkpoints").exists():
        return ""
    return resume_command(experiment, config, record.folder)


def _has_something(result: report.Result) -> bool:
    rows = [row for table in result.get("tables", ()) for row in table["rows"]]
    return bool(result["history"] or result["figures"] or rows)


def _write(record: Record) -> None:
    folder, result = record.folder, record.result
    programs = f"{record.programs['found']} from the cache, {record.programs['compiled']} compiled"
    result["programs"] = programs
    if result["history"]:
        path = folder / "history.png"
        history = report.plot_history(
            result["history"], path, title=result["title"], spread=result.get("spread", ())
        )
        record.pictures.insert(0, history)
    if record.board:
        report.close_board(record.board, record.pictures)
    page = report.write_page(folder, result, record.pictures)
    report.write_json(folder / "result.json", result)  # the last, by which a run has finished
    report.print_results([result])
    print(f"Programs: {programs}")
    print(f"Page: {page}")


def _blank(experiment: str, config: Output, title: str, description: str) -> report.Result:
    devices = [d.device_kind for d in jax.devices()]
    platform = jax.default_backend()
    asked = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
    kind = config.precision if isinstance(config, Training) else "float32"
    if kind == "float32":  # of other numbers there is one way alone
        kind = asked or f"default, {_DEFAULT.get(platform, 'the device’s')}"
    return {
        "version": report.VERSION,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "experiment": experiment,
        "title": title,
        "description": description,
        "command": command(experiment, config),
        "status": "interrupted",
        "verdict": "interrupted",
        "figures": [],
        "data": None,
        "model": None,
        "times": {},
        # Whether a run was resumed is none of its settings.
        "config": {name: v for name, v in asdict(config).items() if name != "resume"},
        "environment": {
            **report.environment(),
            "devices": devices,
            "matmul_precision": kind,
            "deterministic": is_deterministic(),
        },
        "history": [],
    }
