"""Compiled training: one step, many steps, a whole run as a function of a key, and `fit`."""

from dl_jax.train.checkpoints import (
    CheckpointError,
    CheckpointWarning,
    differences,
    load_checkpoint,
    save_checkpoint,
)
from dl_jax.train.ensemble import make_ensemble
from dl_jax.train.epoch import NonFinite, epoch_order, train_batches, zero_totals
from dl_jax.train.fit import Checkpoint, Fit, fit
from dl_jax.train.hyperparams import with_hyperparams
from dl_jax.train.mesh import default_mesh, device_mesh, on_one_device
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
    "default_mesh",
    "device_mesh",
    "differences",
    "epoch_order",
    "evaluate",
    "fit",
    "init_state",
    "load_checkpoint",
    "make_ensemble",
    "make_train",
    "on_one_device",
    "predict",
    "save_checkpoint",
    "streams",
    "train_batches",
    "train_step",
    "with_hyperparams",
    "zero_totals",
]
