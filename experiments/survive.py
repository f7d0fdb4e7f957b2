"""A run that is killed again and again ends bit by bit as the one that was left alone.

    python -m experiments.survive
    python -m experiments.survive --kills 5
    python -m experiments.survive --seeds 3 --num-epochs 4

The lecture's feed-forward network trains twice on Fashion-MNIST, in processes of their own. One is
left alone. The other gets SIGKILL at random moments, counted from its start, and is resumed each
time, and another one begins where it ends before the last kill; checkpoints are written so often
that many of the kills fall into one.
Expected: parameters and figures do not differ in a single bit; in about 5 minutes on 2 cores.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from experiments.options import Options, main
from experiments.record import Record
from experiments.recording import recording


@dataclass(frozen=True)
class Config(Options):
    """A run that is killed and resumed, beside one that is not."""

    kills: int = 50
    """How often it is killed."""
    num_epochs: int = 8
    checkpoint_every: int = 400
    """Steps between two checkpoints."""
    seconds: float = 4.0
    """Of training before a kill, at most, beside the seconds of a start."""
    seeds: int = 1
    """How many both train, in one program; compared are all figures and the first one's weights."""


def run(config: Config) -> Record:
    """Train both, compare them and write the run folder.

    Raises:
        ValueError: for no kill at all, with which nothing would be shown.
    """
    if config.kills < 1:
        raise ValueError(f"kills: expected at least 1, got {config.kills}")
    with recording(
        "survive",
        config,
        "Killed and resumed",
        f"One of two equal runs is killed {config.kills} times at random moments, and resumed.",
    ) as record:
        alone, number = record.folder / "alone", 1
        started = time.perf_counter()
        _run(config, alone, None)
        whole = time.perf_counter() - started
        print(f"left alone: {whole:.1f} s", flush=True)
        training = json.loads((alone / "result.json").read_text())["times"]["training"]

        rng = np.random.default_rng(config.seed)
        rows: list[tuple[str, str, float, float, str]] = []
        columns = ("Kill", "Run", "After (s)", "Newest checkpoint (step)", "While one was written")
        record.add_table("Each kill", columns, rows)
        while len(rows) < config.kills:
            killed = record.folder / f"killed-{number}"
            moment = rng.uniform(0, whole - training + config.seconds)
            if _finished(killed) or not _run(config, killed, moment):
                number += 1  # it came to its end before the next kill
                continue
            steps = [int(p.name) for p in killed.glob("checkpoints/1/*") if p.name.isdecimal()]
            unfinished = any(killed.glob("checkpoints/1/unfinished-*"))
            row = (str(len(rows) + 1), str(number), moment, max(steps, default=0), _yes(unfinished))
            rows.append(row)
            print(f"kill {row[0]} of run {number} after {moment:.1f} s, step {row[3]}", flush=True)
        if not _finished(record.folder / f"killed-{number}"):
            _run(config, record.folder / f"killed-{number}", None)

        steps = [("1", 0.0), *((row[1], row[3]) for row in rows)]
        record.add_figure("kills", len(rows), bound=config.kills)
        record.add_figure(
            "  of them after new checkpoints",
            sum(b > a if run == last else b > 0 for (last, a), (run, b) in pairwise(steps)),
        )
        record.add_figure("  of them while one was written", sum(row[4] == "yes" for row in rows))
        folders = [folder for folder in record.folder.glob("killed-*") if _finished(folder)]
        record.add_figure("runs that ended", len(folders), bound=1)
        differing = [compare(alone, folder) for folder in folders]
        for name in ("parameters that differ", "figures that differ"):
            most = max(one[name] for one in differing)
            record.add_figure(name, most, bound=0, direction="<=")
    return record


def compare(one: Path, other: Path) -> dict[str, int]:
    """Return how many parameters and how many figures of two runs differ, in at least a bit."""
    from safetensors.numpy import load_file

    first, second = (load_file(folder / "weights.safetensors") for folder in (one, other))
    assert first.keys() == second.keys()
    parameters = sum(
        int((a.view(np.uint32) != second[name].view(np.uint32)).sum()) for name, a in first.items()
    )
    return {
        "parameters that differ": parameters,
        "figures that differ": sum(
            a != b for a, b in zip(*map(_figures, (one, other)), strict=True)
        ),
    }


def _figures(folder: Path) -> Sequence[object]:
    """The history as it is in the file and in the result, and the figures, without times."""
    result = json.loads((folder / "result.json").read_text())
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    rows = [*result["history"], *map(json.loads, lines)]
    figures = [(figure["name"], figure["value"]) for figure in result["figures"]]
    return figures + [
        (row["epoch"], name, value)
        for row in rows
        for name, value in row.items()
        if "seconds" not in name
    ]


def _run(config: Config, folder: Path, moment: float | None) -> bool:
    """Begin a run or go on with it; return whether it was killed, so many seconds after its start.

    Raises:
        RuntimeError: if it ended by itself, and not well.
    """
    words = ["-m", "experiments.fashion_mnist_mlp", "--data", config.data, "--out", str(folder)]
    words += ["--num-epochs", str(config.num_epochs), "--seed", str(config.seed)]
    words += ["--checkpoint-every", str(config.checkpoint_every), "--seeds", str(config.seeds)]
    if (folder / "result.json").exists():
        words.append("--resume")
    elif folder.exists():  # killed before anything was in it
        shutil.rmtree(folder)
    process = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        _, said = process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return True
    except BaseException:
        process.kill()
        raise
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}:\n{said}")
    return False


def _finished(folder: Path) -> bool:
    try:
        return json.loads((folder / "result.json").read_text())["status"] == "finished"
    except FileNotFoundError:
        return False


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"


if __name__ == "__main__":
    main("survive", Config, run)
