"""Weights come back from files as they went in, and files that do not fit say why."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from jax import lax
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from dl_jax.models import IMAGENET, VGG, ResNet, create, load_weights, read_notes, save_weights

IMAGE = jax.ShapeDtypeStruct((64, 64, 3), jnp.float32)
RESNET = ResNet((1, 1, 1, 1), num_classes=5)


@pytest.fixture(scope="module")
def variables():
    return jax.jit(RESNET.init)(jax.random.key(0), jnp.zeros((1, *IMAGE.shape)))


@pytest.fixture
def path(tmp_path, variables):
    save_weights(
        tmp_path / "w.safetensors", variables, IMAGE, preprocessing=IMAGENET, class_names=["a", "b"]
    )
    return tmp_path / "w.safetensors"


def test_all_comes_back(path, variables):
    weights = load_weights(RESNET, path)
    jax.tree.map(np.testing.assert_array_equal, weights.variables, variables)
    assert (weights.inputs, weights.preprocessing) == (IMAGE, IMAGENET)
    assert read_notes(path) == {"class_names": ["a", "b"]}


def test_numbers_come_back_however_they_lay(tmp_path, variables):
    turned = jax.tree.map(lambda a: np.asfortranarray(np.asarray(a)), variables)
    save_weights(tmp_path / "w.safetensors", turned, IMAGE)
    weights = load_weights(RESNET, tmp_path / "w.safetensors")
    jax.tree.map(np.testing.assert_array_equal, weights.variables, variables)


def test_bfloat16_comes_back(tmp_path, variables):
    narrow = jax.tree.map(lambda a: a.astype(jnp.bfloat16), variables)
    save_weights(tmp_path / "w.safetensors", narrow, IMAGE)
    weights = load_weights(RESNET, tmp_path / "w.safetensors")
    wide = jax.tree.map(lambda a: a.astype(jnp.float32), narrow)
    jax.tree.map(np.testing.assert_array_equal, weights.variables, wide)


def test_whole_numbers_are_no_weights(path):
    tensors = {key: value.astype(np.int32) for key, value in load_file(path).items()}
    with safe_open(path, framework="numpy") as file:
        save_file(tensors, path, metadata=file.metadata())
    with pytest.raises(ValueError, match="expected floating-point numbers, got int32"):
        load_weights(RESNET, path)


def test_a_name_that_others_would_read_otherwise(tmp_path, variables):
    with pytest.raises(ValueError, match=r"expected a name that ends in \.safetensors"):
        save_weights(tmp_path / "w.pth", variables, IMAGE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "note",
    [
        "99", "{broken", "{}", '{"version": "1", "inputs": [[8], "float32"]}',
        '{"version": 1, "inputs": "foo", "preprocessing": null, "notes": {}}',
        '{"version": 1, "inputs": [[8], "float33"], "preprocessing": null, "notes": {}}',
        '{"version": 1, "inputs": [[8], "float32"], "preprocessing": {"mean": "x"}, "notes": {}}',
        '{"version": 1, "inputs": [[8], "float32"], "preprocessing": null}',
    ],
)  # fmt: skip
def test_damaged_notes_are_named(note, path):
    save_file(load_file(path), path, metadata={"dl_jax": note})
    for read in (read_notes, lambda path: load_weights(RESNET, path)):
        with pytest.raises(ValueError, match=f"{path.name}: what save_weights noted in it is dam"):
            read(path)


def test_a_failed_write_leaves_the_old_file(path):
    before = path.read_bytes()
    with pytest.raises(TypeError):  # what JSON does not hold
        save_weights(path, {"params": {"w": np.ones(1)}}, IMAGE, note=object())
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_keys_and_shapes_that_are_not_the_models_are_named(path):
    with pytest.raises(ValueError, match=r"fc/bias: expected the shape \[7\], got \[5\]"):
        load_weights(RESNET.clone(num_classes=7), path)
    with pytest.raises(ValueError, match=r"10 missing are .*layer1_1/bn1/mean.*, \.\.\.$"):
        load_weights(RESNET.clone(depths=(2, 1, 1, 1)), path)
    tensors = load_file(path)
    del tensors["params/fc/bias"]
    save_file({**tensors, "params/extra": np.ones(1)}, path)  # and no longer this project's
    with pytest.raises(ValueError, match=r"missing are bn1.running_mean.*not the model's are"):
        load_weights(RESNET, path)


@pytest.mark.parametrize("content", [b"", b"\x08" * 40, None])
def test_a_damaged_file_is_named(content, path):
    path.write_bytes(path.read_bytes()[:-10] if content is None else content)
    with pytest.raises(ValueError, match=f"{path.name}: no safetensors file, or a damaged one"):
        load_weights(RESNET, path)


def test_a_file_of_weights_that_is_none(tmp_path, path):
    with pytest.raises(FileNotFoundError):
        load_weights(RESNET, tmp_path / "none.safetensors")
    save_file({"layer.weight": np.ones((2, 2), np.float32)}, path)
    with pytest.raises(ValueError, match="expected a file of save_weights for LeNet5"):
        load_weights(create("lenet5"), path)


def published(model, leaves, names):
    """The leaves as PyTorch lays them out: convolutions OIHW, dense layers [out, in]."""
    tensors = {}
    for (_, *modules, leaf), value in leaves.items():
        name = {"kernel": "weight", "scale": "weight", "mean": "running_mean", "var": "running_var"}
        key = f"{names('.'.join(modules))}.{name.get(leaf, leaf)}"
        value = np.asarray(value)
        tensors[key] = value.transpose(*range(value.ndim)[::-1]) if value.ndim == 2 else value
        if value.ndim == 4:
            tensors[key] = value.transpose(3, 2, 0, 1)
        tensors[key] = np.ascontiguousarray(tensors[key])
    return tensors


def test_names_of_torchvision_are_found(path, variables):
    def names(modules):
        return modules.replace("_0", ".0").replace("_1", ".1")

    tensors = published(RESNET, traverse_util.flatten_dict(variables), names)
    save_file({**tensors, "bn1.num_batches_tracked": np.zeros(1)}, path)
    jax.tree.map(np.testing.assert_array_equal, load_weights(RESNET, path).variables, variables)


def test_maps_are_flattened_channels_first(tmp_path, key):
    """The dense layer behind the maps of a VGG, against PyTorch's layout written out."""
    model = VGG((1, 1, 1, 1, 1), num_classes=3)
    image = jax.ShapeDtypeStruct((64, 64, 3), jnp.float32)
    shapes = jax.eval_shape(model.init, key, jnp.zeros((1, *image.shape)))
    like: dict[tuple, Any] = dict(traverse_util.flatten_dict(shapes))
    rng = np.random.default_rng(0)
    leaves = {k: rng.normal(size=v.shape, scale=0.05).astype(np.float32) for k, v in like.items()}
    places = {f"conv{i}_1": f"features.{3 * i - 3}" for i in range(1, 6)}
    places |= {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}
    tensors = published(model, leaves, places.__getitem__)
    save_file(tensors, tmp_path / "vgg.safetensors")

    x = rng.normal(size=(2, 3, 64, 64)).astype(np.float32)
    y = jnp.asarray(x)
    for i in range(5):
        name = f"features.{3 * i}"
        y = lax.conv_general_dilated(y, tensors[f"{name}.weight"], (1, 1), "SAME")
        y = jnp.maximum(y + tensors[f"{name}.bias"][None, :, None, None], 0)
        y = y.reshape(*y.shape[:2], y.shape[2] // 2, 2, y.shape[3] // 2, 2).max((3, 5))
    y = y.reshape(2, -1)  # channels, rows, columns
    for name in ("classifier.0", "classifier.3", "classifier.6"):
        y = y @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"][None]
        y = y if name.endswith("6") else jnp.maximum(y, 0)

    weights = load_weights(model, tmp_path / "vgg.safetensors", image)
    logits = model.apply(weights.variables, x.transpose(0, 2, 3, 1))
    assert isinstance(logits, jax.Array)
    np.testing.assert_allclose(logits, y, atol=1e-4 * float(jnp.abs(y).max()))
