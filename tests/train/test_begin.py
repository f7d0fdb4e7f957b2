"""What a run needs is compiled in other threads before it begins, and by none of its calls."""

from collections import Counter
from threading import current_thread, main_thread

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
    """How often a program of each name has been compiled, in other threads and in this one."""
    jax.clear_caches()
    names = Counter[tuple[str, bool]]()

    def count(event: str, duration_secs: float, **details: str | int) -> None:
        del duration_secs
        if event == "/jax/core/compile/backend_compile_duration":
            names[str(details.get("fun_name")), current_thread() is main_thread()] += 1

    monitoring.register_event_duration_secs_listener(count)
    yield names
    monitoring.unregister_event_duration_listener(count)


@pytest.mark.parametrize(
    ("nonfinite", "committed"), [("stop", False), ("skip", False), ("stop", True)]
)
def test_each_program_of_a_run_is_compiled_ahead_and_once(compiled, key, nonfinite, committed):
    rng = np.random.default_rng(0)
    examples = Examples(rng.normal(size=(20, 3)).astype(np.float32), np.arange(20) % 2)
    if committed:
        examples = jax.device_put(examples, jax.devices()[0])
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
    ahead, called = ([compiled[name, here] for name in names] for here in (False, True))
    assert (ahead, any(called)) == (([0] * 4, True) if committed else ([1, 1, 2, 1], False))
