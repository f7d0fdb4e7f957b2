"""Published weights: how PyTorch's libraries name and lay out what these models call theirs.

torchvision and timm keep a convolution as `[out, in, h, w]`, a dense layer as `[out, in]`, and
flatten maps channels first, where Flax has `[h, w, in, out]`, `[in, out]` and channels last.
"""

import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import linen as nn
from flax import traverse_util

from dl_jax.models.alexnet import AlexNet
from dl_jax.models.googlenet import GoogLeNet
from dl_jax.models.resnet import ResNet
from dl_jax.models.vgg import VGG

Path = tuple[str, ...]
_LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
_NO_PARAMETERS = ".num_batches_tracked"  # a counter that batch normalisation here does without


def from_published(model: nn.Module, tensors: Mapping[str, np.ndarray], like: Any) -> Any:
    """Return the variables that a state dict of torchvision or timm holds for the model.

    Args:
        model: an `AlexNet` in one stream, a `VGG`, `GoogLeNet` or `ResNet`.
        tensors: the state dict.
        like: variables of the model, whose structure and shapes the result has; may be abstract.

    Raises:
        ValueError: if there is no published layout for the model, or keys or shapes do not fit.
    """
    if type(model) not in _LAYERS:
        known = ", ".join(kind.__name__ for kind in _LAYERS)
        raise ValueError(
            f"expected a file of save_weights for {type(model).__name__}; the published layouts "
            f"that are known are those of {known}, and the file has keys such as {_some(tensors)}"
        )
    leaves: dict[Path, Any] = dict(traverse_util.flatten_dict(like))
    layers = _LAYERS[type(model)](model)
    names = {path: _key(layers, path, tensors) for path in leaves}
    missing = [name for name in names.values() if name not in tensors]
    wanted = set(names.values())
    extra = [k for k in tensors if k not in wanted and not k.endswith(_NO_PARAMETERS)]
    check_keys(missing, extra)
    return traverse_util.unflatten_dict(
        {path: _relaid(names[path], tensors[names[path]], path, leaves) for path in leaves}
    )


def check_keys(missing: Sequence[str], extra: Sequence[str]) -> None:
    """Raise a ValueError that names the keys, if any are missing or too many."""
    parts = (("missing are", missing), ("not the model's are", extra))
    said = [f"{len(keys)} {words} {_some(keys)}" for words, keys in parts if keys]
    if said:
        raise ValueError(f"the keys are not the model's: {'; '.join(said)}")


def check_shape(name: str, expected: Sequence[int], got: Sequence[int]) -> None:
    """Raise a ValueError that names the key, unless both shapes are the same."""
    if tuple(expected) != tuple(got):
        raise ValueError(f"{name}: expected the shape {list(expected)}, got {list(got)}")


def _some(keys: Mapping[str, Any] | Sequence[str], most: int = 6) -> str:
    shown = ", ".join(itertools.islice(keys, most))
    return shown + ", ..." * (len(keys) > most)


def _key(
    layers: Mapping[str, Sequence[str]] | None, path: Path, tensors: Mapping[str, np.ndarray]
) -> str:
    """The state dict's name of a leaf, `path` being (collection, module, ..., leaf)."""
    _, *modules, leaf = path
    # Without a table modules have their published names, but for the dots.
    dotted = re.sub(r"_(\d+)", r".\1", ".".join(modules))
    names = [dotted] if layers is None else layers[modules[0]]
    keys = [f"{name}.{_LEAVES[leaf]}" for name in names]
    return next((key for key in keys if key in tensors), keys[0])


def _relaid(
    name: str, tensor: np.ndarray, path: Path, leaves: Mapping[Path, jax.ShapeDtypeStruct]
) -> np.ndarray:
    """A tensor as Flax has it."""
    shape = leaves[path].shape
    if path[-1] != "kernel":
        check_shape(name, shape, tensor.shape)
        return tensor
    if len(shape) == 4:
        height, width, per_group, out = shape
        check_shape(name, (out, per_group, height, width), tensor.shape)
        return tensor.transpose(2, 3, 1, 0)
    size, out = shape
    if tensor.ndim == 4:  # timm's VGG has its dense layers as convolutions
        tensor = tensor.reshape(len(tensor), -1)
    check_shape(name, (out, size), tensor.shape)
    channels = _channels(path, leaves)
    side = math.isqrt(size // channels)
    return tensor.reshape(out, channels, side, side).transpose(2, 3, 1, 0).reshape(size, out)


def _channels(path: Path, leaves: Mapping[Path, jax.ShapeDtypeStruct]) -> int:
    """Maps in front of a dense layer that follows a flattening; all its inputs for any other."""
    *parents, layer, leaf = path
    flattened = {
        "fc6": [(f"conv5_{i}",) for i in (4, 3, 2, 1)] + [("conv5",)],
        "fc1": [("conv", "conv")],
    }
    for convolution in flattened.get(layer, ()):
        kernel = leaves.get((*parents, *convolution, leaf))
        if kernel is not None:
            return kernel.shape[-1]
    return leaves[path].shape[0]


def _of_alexnet(model: nn.Module) -> dict[str, list[str]]:
    convolutions = zip(range(1, 6), (0, 3, 6, 8, 10), strict=True)
    dense = zip((6, 7, 8), (1, 4, 6), strict=True)
    return {f"conv{i}": [f"features.{j}"] for i, j in convolutions} | {
        f"fc{i}": [f"classifier.{j}"] for i, j in dense
    }


def _of_vgg(model: nn.Module) -> dict[str, list[str]]:
    assert isinstance(model, VGG)
    names, place = {}, 0
    for group, depth in enumerate(model.depths, start=1):
        for i in range(1, depth + 1):
            names[f"conv{group}_{i}"] = [f"features.{place}"]
            place += 2  # a convolution and its ReLU
        place += 1  # pooling
    dense = (("fc6", 0, "pre_logits.fc1"), ("fc7", 3, "pre_logits.fc2"), ("fc8", 6, "head.fc"))
    return names | {name: [f"classifier.{i}", timms] for name, i, timms in dense}


_LAYERS: dict[type[nn.Module], Callable[[nn.Module], dict[str, list[str]] | None]] = {
    AlexNet: _of_alexnet,
    VGG: _of_vgg,
    GoogLeNet: lambda model: None,
    ResNet: lambda model: None,
}
