"""Keras 3 on each of its backends, trained by `fit` on arrays, as in the lecture."""

import time
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import keras  # pyright: ignore[reportMissingImports]
from keras import layers  # pyright: ignore[reportMissingImports]

from dl_jax.bench.peers.peer import Choice, Peer, Trainer
from dl_jax.bench.peers.problem import (
    BETA_1,
    BETA_2,
    DECAY,
    DROPOUT_RATE,
    EPSILON,
    LEARNING_RATE,
    NUM_WORDS,
    Problem,
)

_SEVERAL = {"mnist_cnn": 4, "fashion_mlp": 25, "imdb_bow": 10}  # steps in one execution
_CLOCK_NOTE = "timed from the beginning of fit's epoch to its end"
_EPSILON_NOTE = "Keras' Adam adds epsilon before the bias correction, and is checked against that"


class _Setting(NamedTuple):
    """What Keras can be told: arguments of `compile`, and where images have their channels."""

    words: str
    arguments: dict[str, Any]
    channels_first: bool = False


def load(problem: Problem, variant: str) -> Peer:
    """Return Keras on the backend that `KERAS_BACKEND` names."""
    del variant
    backend = keras.backend.backend()
    inputs: Any = problem.dense_inputs()
    targets: Any = problem.targets
    if backend == "tensorflow":  # fit would copy the arrays at each call
        inputs, targets = map(keras.ops.convert_to_tensor, (inputs, targets))

    choices = [
        Choice(setting.words, partial(_build, problem, inputs, targets, setting))
        for setting in _settings(backend, problem.workload)
    ]
    adam = problem.workload != "imdb_bow"
    framework = import_module(backend)
    return Peer(
        f"{keras.__version__}, {backend} {framework.__version__}",
        _platform(backend, framework),
        choices,
        f"{_CLOCK_NOTE}; {_EPSILON_NOTE}" if adam else _CLOCK_NOTE,
        reference="keras_adam" if adam else "",
    )


def _settings(backend: str, workload: str) -> list[_Setting]:
    settings = [_Setting("fit as it comes", {})]
    several = {"steps_per_execution": _SEVERAL[workload]}
    words = f"steps_per_execution={_SEVERAL[workload]}"
    if backend != "torch":  # which has no such argument
        settings.append(_Setting(words, several))
    if backend == "tensorflow":
        settings.append(_Setting("jit_compile=False", {"jit_compile": False}))
        settings.append(_Setting(f"jit_compile=False, {words}", {"jit_compile": False, **several}))
    if backend == "torch" and workload == "mnist_cnn":
        settings.append(_Setting("channels first", {}, channels_first=True))
    return settings


def _build(
    problem: Problem, inputs: Any, targets: Any, setting: _Setting, checked: bool
) -> Trainer:
    keras.config.set_image_data_format(
        "channels_first" if setting.channels_first else "channels_last"
    )
    if setting.channels_first:
        inputs = inputs.reshape(-1, 1, 28, 28)
    model = keras.Sequential(_layers(problem.workload, inputs.shape[1:], checked))
    model.set_weights([leaf for layer in problem.params.values() for leaf in layer.values()])
    if problem.workload == "imdb_bow":
        optimizer = keras.optimizers.RMSprop(LEARNING_RATE, rho=DECAY, epsilon=EPSILON)
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
    else:
        optimizer = keras.optimizers.Adam(LEARNING_RATE, BETA_1, BETA_2, EPSILON)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, **setting.arguments)
    size, clock = problem.batch_size, _Clock()

    def run(steps: int) -> float:
        x, t = inputs, targets
        if steps < problem.num_steps:
            x, t = x[: steps * size], t[: steps * size]
        model.fit(x, t, size, epochs=1, shuffle=False, verbose=0, callbacks=[clock])
        return clock.seconds

    return Trainer(
        run, lambda: float(model.evaluate(inputs[:size], targets[:size], size, verbose=0))
    )


def _layers(workload: str, shape: tuple[int, ...], checked: bool) -> list[Any]:
    if workload == "mnist_cnn":
        return [
            layers.Input(shape),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.0 if checked else DROPOUT_RATE),
            layers.Dense(10),
        ]
    if workload == "imdb_bow":
        hidden, outputs, first = 16, 1, layers.Input((NUM_WORDS,))
    else:
        hidden, outputs, first = 64, 10, layers.Input(shape)
    relu = [layers.Dense(hidden, activation="relu") for _ in range(2)]
    return [first, layers.Flatten(), *relu, layers.Dense(outputs)]


class _Clock(keras.callbacks.Callback):
    """The seconds of an epoch, without what `fit` does before and after."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop it; the epoch's loss has been fetched, so that all is computed."""
        self.seconds = time.perf_counter() - self.started


def _platform(backend: str, framework: Any) -> str:
    if backend == "jax":
        return framework.default_backend()
    if backend == "torch":
        return "gpu" if framework.cuda.is_available() else "cpu"
    return "gpu" if framework.config.list_physical_devices("GPU") else "cpu"
