"""A sweep of 16 learning rates as one program, against 16 runs.

    python -m experiments.one_program

The lecture's feed-forward network on Fashion-MNIST with Adam. Each run is a program of its own, in
which its learning rate is a constant; in the sweep it is data, so that one program serves all, with
the members one after the other (`lax.map`) or a step of all at once (`vmap`). Times are from the
random key to the last epoch, compilation included; no program is taken from the cache.
Expected: a loop has the losses of the runs and takes less time; in a minute on 2 cores. Steps of
all at once round otherwise, which a large learning rate lets grow.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dl_jax.bench.stages import no_persistent_cache
from dl_jax.losses import MULTICLASS
from dl_jax.models import create
from dl_jax.train import Data, Schedule, make_ensemble, make_train
from experiments.options import Options, main
from experiments.record import Record
from experiments.recording import recording
from experiments.sources import examples, obtain
from experiments.training import adam

Histories = dict[str, np.ndarray]


@dataclass(frozen=True)
class Config(Options):
    """A sweep of learning rates as one program, against as many runs."""

    num_rates: int = 16
    """From 1e-5 to 1e-2, evenly on a logarithmic scale."""
    num_epochs: int = 2
    batch_size: int = 32


def run(config: Config) -> Record:
    """Train in all three ways, compare and write the run folder.

    Raises:
        ValueError: for fewer than two learning rates.
    """
    if config.num_rates < 2:
        raise ValueError(f"num_rates: expected at least 2, got {config.num_rates}")
    with recording(
        "one_program",
        config,
        f"{config.num_rates} learning rates, one program",
        "The same training with several learning rates: as a run each, and as one program.",
    ) as record:
        with record.timed("data"):
            source = obtain("fashion_mnist", config.data)
            data = jax.device_put(
                Data(examples(source.dataset.train), examples(source.dataset.test))
            )
        record.add_data(source)
        model, key = create("fashion_mlp"), jax.random.key(config.seed)
        rates = np.geomspace(1e-5, 1e-2, config.num_rates)
        schedule = Schedule(config.num_epochs, config.batch_size)

        def runs() -> Histories:
            each = []
            for rate in rates:
                train = make_train(model, MULTICLASS, adam(float(rate)), data, schedule)
                each.append(jax.device_get(train(key)[1]))
            return {name: np.stack([one[name] for one in each]) for name in each[0]}

        def sweep(loop: bool) -> Histories:
            optimizer = optax.inject_hyperparams(adam)(learning_rate=0.0)
            train = make_ensemble(model, MULTICLASS, optimizer, data, schedule, loop=loop)
            keys = jnp.stack([key] * len(rates))
            return jax.device_get(train(keys, {"learning_rate": jnp.asarray(rates)})[1])

        ways: dict[str, Callable[[], Histories]] = {
            f"{len(rates)} runs": runs,
            "one program, members in a loop": lambda: sweep(True),
            "one program, members together": lambda: sweep(False),
        }
        rows: list[tuple[str, float, float]] = []
        record.add_table("Each way", ("Way", "Seconds", "Largest difference in a loss"), rows)
        expected: Histories | None = None
        with no_persistent_cache():
            for name, way in ways.items():
                started = time.perf_counter()
                histories = way()
                seconds = time.perf_counter() - started
                expected = expected or histories
                rows.append((name, seconds, _apart(expected, histories)))
                record.add_time("training", seconds)
                print(f"{name}: {seconds:.1f} s", flush=True)
        (_, separate, _), (_, loop, apart), (_, together, apart_together) = rows
        record.add_figure("time of the runs / of a loop", separate / loop, bound=1.0)
        record.add_figure("time of the runs / of members together", separate / together)
        record.add_figure("largest relative difference, loop", apart, direction="<=", bound=1e-3)
        record.add_figure("largest relative difference, together", apart_together, direction="<=")
    return record


def _apart(expected: Histories, histories: Histories) -> float:
    """The largest relative difference in a loss, over members, epochs and both splits."""
    losses = [name for name in expected if name.endswith("loss")]
    return max(float(np.max(np.abs(histories[k] / expected[k] - 1))) for k in losses)


if __name__ == "__main__":
    main("one_program", Config, run)
