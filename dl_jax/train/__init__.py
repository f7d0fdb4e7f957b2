"""Compiled training: one step, many steps, a whole run as a function of a key, and `fit`."""

from dl_jax.train.checkpoints import (
    CheckpointError,
    CheckpointWarning,
    differences,
    load_checkpoint,
    save_checkpoint,
)
from dl_jax.train.epoch import NonFinite, epoch_order, train_batches, zero_totals
from dl_jax.train.fit import Checkpoint, Fit, fit
from dl_jax.train.nonfinite import NonFiniteError
from dl_jax.train.state import Examples, TrainState, as_model_inputs, init_state, streams
from dl_jax.train.step import evaluate, predict, train_step
from dl_jax.train.whole_run import Data, Schedule, make_train

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "CheckpointWarning",
    "Data",
    "Examples",
    "Fit",
    "NonFinite",
    "NonFiniteError",
    "Schedule",
    "TrainState",
    "as_model_inputs",
    "differences",
    "epoch_order",
    "evaluate",
    "fit",
    "init_state",
    "load_checkpoint",
    "make_train",
    "predict",
    "save_checkpoint",
    "streams",
    "train_batches",
    "train_step",
    "zero_totals",
]
