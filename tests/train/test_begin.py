"""What a run needs is compiled before it begins, and no second time by the calls."""

from collections import Counter

import jax
import numpy as np
import optax
import pytest
from jax import monitoring

from dl_jax.losses import MULTICLASS
from dl_jax.models import MLP
from dl_jax.train import Examples, fit


@pytest.fixture
def compiled():
    """How often a program of each name has been compiled, since the test began."""
    jax.clear_caches()
    names = Counter[str]()

    def count(event: str, duration_secs: float, **details: str | int) -> None:
        del duration_secs
        if event == "/jax/core/compile/backend_compile_duration":
            names[str(details.get("fun_name"))] += 1

    monitoring.register_event_duration_secs_listener(count)
    yield names
    monitoring.unregister_event_duration_listener(count)


@pytest.mark.parametrize("nonfinite", ["stop", "skip"])
def test_each_program_of_a_run_is_compiled_once(compiled, key, nonfinite):
    rng = np.random.default_rng(0)
    examples = Examples(rng.normal(size=(20, 3)).astype(np.float32), np.arange(20) % 2)
    fit(
        MLP((4, 2)),
        MULTICLASS,
        optax.adam(1e-3),
        examples,
        num_epochs=2,
        batch_size=8,  # of which the last one has 4 examples: a program of its own
        key=key,
        validation=examples,
        nonfinite=nonfinite,
    )
    names = ("jit(_start)", "jit(epoch_order)", "jit(train_batches)", "jit(evaluate)")
    assert [compiled[name] for name in names] == [1, 1, 2, 1]
