"""Devices by the names that JAX gives them."""

from types import SimpleNamespace

import jax
import pytest

from dl_jax.bench import devices
from dl_jax.bench.devices import choose_devices


@pytest.fixture
def machine(monkeypatch):
    """Two GPUs, the default, and the CPU that every machine has."""
    gpus = [SimpleNamespace(platform="gpu", id=i) for i in range(2)]
    cpus = [SimpleNamespace(platform="cpu", id=0)]
    found = {
        "cpu": SimpleNamespace(local_devices=lambda: cpus),
        "cuda": SimpleNamespace(local_devices=lambda: gpus),
    }
    monkeypatch.setattr(jax, "devices", lambda: gpus)
    monkeypatch.setattr(devices, "backends", lambda: found)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ["gpu:0", "gpu:1", "cpu:0"]),
        (["cpu"], ["cpu:0"]),
        (["GPU"], ["gpu:0", "gpu:1"]),
        (["cpu:0", "gpu:1"], ["gpu:1", "cpu:0"]),
    ],
)
def test_every_device_unless_some_are_named(machine, names, expected):
    assert list(choose_devices(names)) == expected


@pytest.mark.parametrize("name", ["tpu", "gpu:2", "gp"])
def test_an_unknown_device_gives_those_that_exist(machine, name):
    said = rf"unknown device '{name}'; JAX sees gpu:0, gpu:1, cpu:0 \(gpu, cpu for all of a kind\)"
    with pytest.raises(ValueError, match=said):
        choose_devices([name])


def test_the_names_lead_to_jaxs_devices():
    assert jax.devices()[0] in choose_devices().values()
