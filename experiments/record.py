"""A run's record: it grows as the run goes on, and is written however the run ends."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
from flax import linen as nn

from dl_jax import report
from dl_jax.models import summarize
from dl_jax.models.precision import Precision, in_precision
from experiments.compilation import kept_programs
from experiments.determinism import is_deterministic
from experiments.options import Output, Training, changed, check, command
from experiments.resuming import check_resumable, written_alone
from experiments.sources import Source, describe

# What becomes of a float32 matrix product where nothing is asked for.
_DEFAULT = {"cpu": "float32", "gpu": "TF32 where the GPU has it", "tpu": "bfloat16"}


@dataclass
class Record:
    """What is known of a run so far; see `report.Result` for the fields' meaning."""

    folder: Path
    result: report.Result
    changed: bool = False
    """Whether a hyperparameter is not the experiment's own."""
    pictures: list[report.Picture] = field(default_factory=list)
    programs: Counter[str] = field(default_factory=Counter)
    """How many programs were `found` in the cache, and how many `compiled`."""
    board: report.Board | None = None
    """TensorBoard's files, where they are asked for."""
    precision: Precision = "float32"
    """In which layers compute."""
    config: Output = field(default_factory=Output)
    trainings: int = 0
    """How many there have been so far that can be resumed."""

    def add_data(self, source: Source) -> None:
        """Say which data are used; on the console too, where they are not the real ones."""
        self.result["data"] = describe(source)
        if source.dataset.info.embedded:
            print(
                f"Embedded data, not the real {source.dataset.name}: {source.dataset.info.source}"
            )
            if source.reason:
                print(source.reason)

    def add_model(
        self, name: str, model: nn.Module, shape: tuple[int, ...], dtype: Any, outputs: int
    ) -> None:
        """Add the model's summary.

        Raises:
            ValueError: unless the model has that many outputs.
        """
        rows = summarize(model, shape, dtype)
        if rows[-1].output_shape != (outputs,):
            raise ValueError(
                f"{name}: expected {outputs} outputs for these classes, "
                f"got {rows[-1].output_shape[-1]}; the last of the features sets them"
            )
        self.result["model"] = {
            "name": name,
            "num_params": sum(row.num_params for row in rows),
            "rows": [
                {
                    "layer": row.layer,
                    "output_shape": row.output_shape,
                    "params": row.num_params,
                    "flops": None if row.only_training else row.flops,
                }
                for row in rows
            ],
        }

    def add_epoch(self, epoch: int, row: dict[str, float]) -> None:
        """Add an epoch to the history, on disk and on the console; a callback of `fit`."""
        self.result["history"] = [*self.result["history"], row]
        report.append_jsonl(self.folder / "metrics.jsonl", row)
        if self.board:
            report.add_row(self.board, row)
        self.add_epoch_times(epoch, row)
        figures = [f"{k} {v:.4f}" for k, v in row.items() if k != "epoch" and "seconds" not in k]
        print(f"epoch {epoch:2d}  {'  '.join(figures)}  {row['seconds']:.2f} s", flush=True)

    def restore(self, rows: Sequence[dict[str, float]]) -> None:
        """Begin the history with the epochs of a run that is resumed."""
        self.result["history"] = list(rows)
        report.write_text(self.folder / "metrics.jsonl", "")
        for row in rows:
            report.append_jsonl(self.folder / "metrics.jsonl", row)

    def add_epoch_times(self, epoch: int, row: dict[str, float]) -> None:
        """Add an epoch to the times of training and evaluation; a callback of `fit`."""
        self.add_time("training", row["seconds"])
        self.add_time("evaluation", row.get("val_seconds", 0.0))

    def add_figure(
        self,
        name: str,
        value: float | Sequence[float],
        *,
        expected: float | None = None,
        bound: float | None = None,
        direction: report.Direction = ">=",
        source: str = "",
    ) -> None:
        """Add a figure and judge it, unless data or settings are not those of its source.

        Of several seeds, a value each, the mean is judged.
        """
        values = value if isinstance(value, Sequence) else [value]
        mean, spread = report.mean_and_spread(values)
        comparable = not (report.embedded(self.result) or self.changed)
        figure = report.Figure(
            name=name,
            value=mean,
            expected=expected,
            bound=bound,
            direction=direction,
            source=source,
            verdict=report.judge(mean, bound, direction, comparable),
        )
        if spread:
            figure["spread"] = spread
        self.result["figures"] = [*self.result["figures"], figure]

    def add_table(
        self, caption: str, columns: Sequence[str], rows: Sequence[Sequence[str | float | None]]
    ) -> None:
        """Add numbers that deserve a table; rows that are added later are in it as well.

        A table that is added before it is filled keeps its rows where the run is interrupted.
        """
        table: report.Table = {"caption": caption, "columns": columns, "rows": rows}
        self.result["tables"] = [*self.result.get("tables", ()), table]

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the seconds of the block to the times of a part of the run."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add_time(part, time.perf_counter() - started)

    def add_time(self, part: str, seconds: float) -> None:
        """Add seconds to the times of a part of the run."""
        times = self.result["times"]
        self.result["times"] = {**times, part: (times.get(part) or 0.0) + seconds}


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after something was finished; carries what was recorded."""

    def __init__(self, record: Record):
        """Carry the record on to whoever catches this."""
        super().__init__()
        self.record = record


@contextmanager
def recording(experiment: str, config: Output, title: str, description: str) -> Iterator[Record]:
    """Make the run folder, yield the record, and write `result.json` and the page at the end.

    Whatever interrupts the run, Ctrl-C or an error, they hold the epochs, figures and rows of
    tables that were finished, and the interruption goes on; if there are none, the folder is
    removed again.

    Raises:
        ValueError: if the configuration has no epochs or an empty batch.
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
            report.write_json(folder / "result.json", blank)  # so that it can be resumed
    record = Record(folder, blank, bool(changes), config=config)
    if isinstance(config, Training):
        record.precision = config.precision
        record.board = report.open_board(folder / "tensorboard") if config.tensorboard else None
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
            raise Interrupted(record) from error
        raise
    figures = record.result["figures"]
    record.result["status"] = "finished"
    record.result["verdict"] = report.overall(figure["verdict"] for figure in figures)
    _write(record)


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
    report.write_json(folder / "result.json", result)
    if record.board:
        report.close_board(record.board, record.pictures)
    page = report.write_page(folder, result, record.pictures)
    report.print_results([result])
    print(f"Programs: {programs}")
    print(f"Page: {page}")


def _blank(experiment: str, config: Output, title: str, description: str) -> report.Result:
    devices = [d.device_kind for d in jax.devices()]
    platform = jax.default_backend()
    precision = jax.config.jax_default_matmul_precision  # pyright: ignore[reportAttributeAccessIssue]
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
            "matmul_precision": precision or f"default, {_DEFAULT.get(platform, 'the device’s')}",
            "deterministic": is_deterministic(),
        },
        "history": [],
    }
