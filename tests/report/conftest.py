"""A small result and its picture, made without matplotlib."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dl_jax.report import Picture, Result

HISTORY = [
    {"epoch": 1, "loss": 0.75, "accuracy": 0.5, "val_loss": 0.5, "val_accuracy": 0.75},
    {"epoch": 2, "loss": 0.5, "accuracy": 0.75, "val_loss": 0.25, "val_accuracy": 1.0},
    {"epoch": 3, "loss": 0.25, "accuracy": 1.0, "val_loss": 1.0, "val_accuracy": 0.5},
]


def png(width: int, height: int) -> bytes:
    """A grey PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(height * (b"\0" + width * b"\x80"))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.fixture
def history() -> list[dict[str, float]]:
    return HISTORY


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    (tmp_path / "history.png").write_bytes(png(220, 110))
    (tmp_path / "history-dark.png").write_bytes(png(220, 112))
    return Picture(tmp_path / "history.png", "Loss falls.", "See it fall.")


@pytest.fixture
def make_result() -> Callable[..., Result]:
    def make(**changes: Any) -> Result:
        result: Any = {
            "experiment": "mnist_cnn",
            "title": "Digits",
            "description": "A network reads digits.",
            "command": "python -m experiments.mnist_cnn --seed 0",
            "status": "finished",
            "verdict": "met",
            "figures": [
                {
                    "name": "test accuracy",
                    "value": 0.9914,
                    "expected": 0.9911,
                    "bound": 0.989,
                    "direction": ">=",
                    "source": "lecture",
                    "verdict": "met",
                }
            ],
            "data": {
                "name": "mnist",
                "source": "array cache",
                "digest": "ab" * 32,
                "embedded": False,
                "reason": None,
                "num_train": 60000,
                "num_test": 10000,
            },
            "model": {
                "name": "mnist_cnn",
                "num_params": 34826,
                "rows": [
                    {
                        "layer": "Conv_0",
                        "output_shape": [26, 26, 32],
                        "params": 320,
                        "flops": 389376,
                    },
                    {"layer": "pool", "output_shape": [13, 13, 32], "params": 0, "flops": None},
                ],
            },
            "times": {"data": 0.5, "compilation": 2.0, "training": 180.0, "evaluation": 1.0},
            "config": {"learning_rate": 0.001, "features": [32, 64]},
            "environment": {"cores": 2, "packages": {"jax": "0.10.2"}},
            "history": HISTORY,
        }
        result.update(changes)
        return result

    return make
