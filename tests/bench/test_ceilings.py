"""What a device can do at most, on small arrays."""

import jax
import pytest

from dl_jax.bench import ceilings
from dl_jax.bench.ceilings import best_of, measure_ceilings


def test_each_precision_has_a_ceiling_and_copies_have_one(small_ceilings, monkeypatch):
    times = iter([0.5, 1e-6, 2e-6, 4e-6])

    def seconds(call, *, repeats):
        call()
        time = next(times)
        return [3 * time, time]  # the shortest counts

    monkeypatch.setattr(ceilings, "steady_seconds", seconds)
    found = measure_ceilings(jax.devices()[0], ("float32", "bfloat16", "float64"))
    assert found["copy"] == {"rate": 2 * 4096 / 0.5, "size": 4096}  # read and written
    rates = {name: ceiling["rate"] for name, ceiling in found["matmul"].items()}
    assert rates == pytest.approx(
        {"float32": 2 * 32**3 / 1e-6, "bfloat16": 2 * 32**3 / 2e-6, "float64": 2 * 32**3 / 4e-6}
    )
    assert jax.numpy.ones(1).dtype == "float32"  # float64 was for that product alone


def test_larger_products_are_tried_until_they_are_slow(small_ceilings, monkeypatch):
    monkeypatch.setattr(ceilings, "_SIZES", (16, 32, 64, 128))
    times = iter([1.0, 1e-3, 1e-3, 0.1])
    monkeypatch.setattr(ceilings, "steady_seconds", lambda call, *, repeats: [next(times)])
    found = measure_ceilings(jax.devices()[0], ("float32",))
    assert found["matmul"]["float32"] == {"rate": 2 * 32**3 / 1e-3, "size": 32}
    assert not list(times)  # 128 was not tried


def test_what_does_not_fit_the_device_ends_it(small_ceilings, monkeypatch):
    def out_of_memory(call, *, repeats):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED")

    monkeypatch.setattr(ceilings, "_best_copy", lambda: None)
    monkeypatch.setattr(ceilings, "steady_seconds", out_of_memory)
    assert measure_ceilings(jax.devices()[0], ("float32",)) == {"matmul": {}, "copy": None}


def test_a_copy_cannot_be_left_out(small_ceilings):
    """Each call gives the negative of the last one: nothing is forwarded or kept."""
    seen = []

    def seconds(call, *, repeats):
        seen.extend(float(call()[0, 0]) for _ in range(3))
        return [1.0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ceilings, "steady_seconds", seconds)
        ceilings._best_copy()
    assert seen == [-1.0, 1.0, -1.0]


def test_the_higher_of_two_measurements_counts():
    one = {"rate": 1.0, "size": 1}
    two = {"rate": 2.0, "size": 2}
    first = {"matmul": {"float32": one, "float64": two}, "copy": two}
    second = {"matmul": {"float32": two, "bfloat16": one}, "copy": one}
    assert best_of(first, second) == {  # pyright: ignore[reportArgumentType]
        "matmul": {"float32": two, "float64": two, "bfloat16": one},
        "copy": two,
    }
    assert best_of(first, {"matmul": {}, "copy": None}) == first  # pyright: ignore[reportArgumentType]
