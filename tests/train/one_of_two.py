"""What `test_processes.py` starts twice: two processes that train as one, and say what came out."""

import json
import sys
from typing import Any, cast

import jax
import numpy as np
import optax

from dl_jax.losses import MULTICLASS
from dl_jax.models import CNN
from dl_jax.train import Data, Examples, Schedule, device_mesh, fit, make_ensemble
from dl_jax.train.pieces import batches_of
from dl_jax.train.processes import digest, join

COORDINATOR, PROCESS = sys.argv[1], int(sys.argv[2])


def examples(seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    labels = np.arange(37, dtype=np.int32) % 3  # two batches of 16, and 5 that two cannot share
    inputs = rng.integers(0, 100, (37, 10, 10, 1)) + 60 * labels[:, None, None, None]
    return Examples(inputs.astype(np.uint8), labels)


class Read:
    """Images that keep the numbers of those that are read."""

    def __init__(self, images: np.ndarray):
        self.images, self.shape, self.numbers = images, images.shape, []

    def __getitem__(self, numbers):
        self.numbers += numbers.ravel().tolist()
        return self.images[numbers]


def run(examples, batch_size=16, **settings):
    return fit(
        CNN((4,), num_classes=3), MULTICLASS, optax.sgd(0.1), examples, num_epochs=2,
        batch_size=batch_size, key=jax.random.key(0), validation=examples, **settings,
    )  # fmt: skip


def together(data=None, key=0):
    train = make_ensemble(
        CNN((4,), num_classes=3), MULTICLASS, optax.sgd(0.1), Data(data or examples()),
        Schedule(1, 16),
    )  # fmt: skip
    train(jax.random.split(jax.random.key(key), 2), {}, lambda *_: None)


def refused(function=run, **settings) -> str:
    """What is said of two processes that do not train alike."""
    try:
        function(**settings)
    except ValueError as error:
        return str(error)
    return "nothing"


join(COORDINATOR, 2, PROCESS)
said = [
    refused(examples=examples(), batch_size=16 + 2 * PROCESS),
    refused(examples=examples(seed=PROCESS)),
    refused(together, data=examples(seed=PROCESS)),
    refused(together, key=PROCESS),
]
read = Read(np.asarray(examples().inputs))
batches_of(
    Examples(cast(Any, read), examples().targets), np.arange(32).reshape(2, 16), device_mesh()
)
both = run(examples())
with jax.default_device(jax.local_devices()[0]):
    alone = run(examples())
params = [np.abs(np.asarray(a) - b).max() for a, b in zip(
    jax.tree.leaves(both.state), jax.tree.leaves(jax.device_get(alone.state)), strict=True
)]  # fmt: skip
print(json.dumps({
    "devices": jax.device_count(),
    "said": said,
    "read": read.numbers,
    "state": digest(both.state),
    "history": [[row["loss"], row["val_loss"]] for row in both.history],
    "alone": [[row["loss"], row["val_loss"]] for row in alone.history],
    "largest difference": float(max(params)),
}))  # fmt: skip
