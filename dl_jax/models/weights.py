"""Weights in files: this project's own, and those that others have published."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import traverse_util

from dl_jax.models.googlenet import GoogLeNet
from dl_jax.models.published import check_keys, check_shape, from_published

_KEY, _VERSION = "dl_jax", 1
_PUBLISHED = jax.ShapeDtypeStruct((224, 224, 3), jnp.float32)


class Preprocessing(NamedTuple):
    """What is done to an image before the network sees it: `(x - mean) / std`, with x in 0..1.

    Attributes:
        size: rows and columns of the image.
        resize: length to which the shorter side is brought before the middle is cut out.
        mean: of each channel.
        std: of each channel.
    """

    size: int
    resize: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET = Preprocessing(224, 256, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Of torchvision's weights, and of timm's for these models."""

_INCEPTION = IMAGENET._replace(mean=(0.5,) * 3, std=(0.5,) * 3)  # torchvision's transform_input


class Weights(NamedTuple):
    """What a file of weights holds.

    Attributes:
        variables: as `model.init` returns them: `params`, and the model's other collections.
        inputs: shape and dtype of one example.
        preprocessing: of images; None where the model takes their pixels in 0..1 as they are.
        notes: what else was saved, as `class_names`.
    """

    variables: dict[str, Any]
    inputs: jax.ShapeDtypeStruct
    preprocessing: Preprocessing | None
    notes: dict[str, Any]


def save_weights(
    path: str | os.PathLike[str],
    variables: Any,
    inputs: jax.ShapeDtypeStruct,
    *,
    preprocessing: Preprocessing | None = None,
    **notes: Any,
) -> None:
    """Write variables to a `.safetensors` file, in place of what is there once all is written.

    Args:
        path: of the file.
        variables: as `model.init` returns them.
        inputs: shape and dtype of one example.
        preprocessing: of images, to travel with the weights.
        notes: anything that JSON holds, as `class_names=(...)`.

    Raises:
        ValueError: for a name that does not end in `.safetensors`.
        TypeError: for notes that JSON does not hold; the old file stays.
    """
    from safetensors.numpy import save

    target = Path(path)
    if target.suffix != ".safetensors":
        raise ValueError(f"{target}: expected a name that ends in .safetensors")
    flat = traverse_util.flatten_dict(variables)
    # In C's order, for safetensors writes an array's memory as it lies.
    tensors = {"/".join(k): np.require(np.asarray(v), requirements="C") for k, v in flat.items()}
    about = {
        "version": _VERSION,
        "inputs": [list(inputs.shape), jnp.dtype(inputs.dtype).name],
        "preprocessing": preprocessing and preprocessing._asdict(),
        "notes": notes,
    }
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder:
        whole = Path(folder) / target.name
        whole.write_bytes(save(tensors, metadata={_KEY: json.dumps(about)}))
        whole.replace(target)


def load_weights(
    model: nn.Module, path: str | os.PathLike[str], inputs: jax.ShapeDtypeStruct | None = None
) -> Weights:
    """Read the weights of a model; nothing of it changes, so that an error leaves all as it was.

    Files of `save_weights`; state dicts of torchvision and timm for `alexnet_2014`, `vgg*`,
    `googlenet_bn` and `resnet*`, as `.safetensors`, or as `.pth` where PyTorch is installed. The
    auxiliary heads of torchvision's GoogLeNet pool otherwise than the paper's, so that in training
    theirs differ; without training all logits agree.

    Args:
        model: a Flax module.
        path: of the file.
        inputs: shape and dtype of one example; the file's own, or 224x224x3, unless given.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no file of weights or a damaged one, or if keys, shapes or kinds of
            numbers are not the model's; names them.
        ModuleNotFoundError: for a `.pth` file without PyTorch.
    """
    tensors, about = _read(Path(path))
    try:
        return _fitted(model, tensors, about, inputs)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def read_notes(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the notes of a file of `save_weights`, without its weights; `{}` of any other."""
    about = _read(Path(path), tensors=False)[1]
    return about.notes if about else {}


def _fitted(
    model: nn.Module,
    tensors: dict[str, np.ndarray],
    about: "_About | None",
    inputs: jax.ShapeDtypeStruct | None,
) -> Weights:
    images = _INCEPTION if isinstance(model, GoogLeNet) else IMAGENET
    said = about or _About(_PUBLISHED, images, {})
    inputs = inputs or said.inputs
    example = jax.ShapeDtypeStruct((1, *inputs.shape), inputs.dtype)
    like = jax.eval_shape(model.init, jax.random.key(0), example)
    if about is None:
        variables = from_published(model, tensors, like)
    else:
        leaves: dict[str, Any] = dict(traverse_util.flatten_dict(like, sep="/"))
        check_keys([k for k in leaves if k not in tensors], [k for k in tensors if k not in leaves])
        for name, leaf in leaves.items():
            check_shape(name, leaf.shape, tensors[name].shape)
        variables = traverse_util.unflatten_dict(tensors, sep="/")
    numbers: dict[str, Any] = dict(traverse_util.flatten_dict(variables, sep="/"))
    for path, a in numbers.items():
        if not jnp.issubdtype(a.dtype, jnp.floating):
            raise ValueError(f"{path}: expected floating-point numbers, got {a.dtype}")
    variables = jax.tree.map(lambda leaf, a: jnp.asarray(a, leaf.dtype), like, variables)
    return Weights(variables, inputs, said.preprocessing, said.notes)


def _read(path: Path, tensors: bool = True) -> "tuple[dict[str, np.ndarray], _About | None]":
    """A file's tensors, and what `save_weights` says of them."""
    with path.open("rb"):  # an error of the system's own, before any library's
        pass
    if path.suffix in (".pth", ".pt", ".bin"):
        return _read_torch(path), None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            about = (file.metadata() or {}).get(_KEY)
            found = {k: file.get_tensor(k) for k in file.keys()} if tensors else {}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: no safetensors file, or a damaged one: {error}") from error
    return found, _about(path, about) if about else None


class _About(NamedTuple):
    """What `save_weights` noted in a file, as `Weights` has it."""

    inputs: jax.ShapeDtypeStruct
    preprocessing: Preprocessing | None
    notes: dict[str, Any]


def _about(path: Path, text: str) -> _About:
    try:
        noted = json.loads(text)
        if int(noted["version"]) <= _VERSION:
            (shape, dtype), found = noted["inputs"], noted["preprocessing"]
            if found:
                mean, std = tuple(found["mean"]), tuple(found["std"])
                found = Preprocessing(int(found["size"]), int(found["resize"]), mean, std)
            inputs = jax.ShapeDtypeStruct(tuple(map(int, shape)), jnp.dtype(dtype))
            return _About(inputs, found, dict(noted["notes"]))
    except (KeyError, TypeError, ValueError) as error:  # whatever else stands there
        raise ValueError(f"{path}: what save_weights noted in it is damaged: {error!r}") from error
    raise ValueError(f"{path}: of version {noted['version']}; this dl_jax reads up to {_VERSION}")


def _read_torch(path: Path) -> dict[str, np.ndarray]:
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: a {path.suffix} file is read by PyTorch, which is not installed; install it, "
            "or take the weights as .safetensors"
        ) from error
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever its readers of zip and pickle raise
        raise ValueError(f"{path}: no file of weights, or a damaged one: {error}") from error
    for key in ("state_dict", "model"):
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(hasattr(v, "numpy") for v in found.values()):
        raise ValueError(f"{path}: expected a state dict, got {type(found).__name__}")
    return {name: tensor.detach().float().numpy() for name, tensor in found.items()}
