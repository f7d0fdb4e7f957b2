"""A run's record, which grows as the run goes on."""

import shutil
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flax import linen as nn

from dl_jax import report
from dl_jax.models import summarize
from dl_jax.models.precision import Precision
from experiments.options import Output, Training
from experiments.sources import Source, describe


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
    config: Output = field(default_factory=Output)
    trainings: int = 0
    """How many there have been so far that can be resumed."""

    @property
    def precision(self) -> Precision:
        """In which layers compute."""
        return self.config.precision if isinstance(self.config, Training) else "float32"

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
        if isinstance(self.config, Training) and self.config.tensorboard:
            board = self.folder / "tensorboard"
            shutil.rmtree(board, ignore_errors=True)
            self.board = report.open_board(board)
        report.write_text(self.folder / "metrics.jsonl", "")
        for row in rows:
            report.append_jsonl(self.folder / "metrics.jsonl", row)
            if self.board:
                report.add_row(self.board, row)

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
