"""PyTorch, eager: as it comes, with images in the channels-last layout, with sparse reviews."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch.nn import functional as F  # pyright: ignore[reportMissingImports]

from dl_jax.bench.peers.peer import Choice, Peer, Trainer, seconds_of
from dl_jax.bench.peers.problem import (
    DECAY,
    DROPOUT_RATE,
    EPSILON,
    LEARNING_RATE,
    NUM_WORDS,
    Problem,
)

_MALLOC_NOTE = "an allocator that keeps freed memory: glibc's, by MALLOC_TRIM_THRESHOLD_ and others"
RMSPROP_NOTE = "RMSprop by torch._foreach, as torch.optim's adds epsilon outside the root"


def load(problem: Problem, variant: str) -> Peer:
    """Return eager PyTorch."""
    batches = device_batches(problem, variant)

    def build(fused: bool, checked: bool) -> Trainer:
        params = parameters(problem, variant)
        for param in params:
            param.requires_grad_(True)
        forward = forward_of(problem, variant, checked)
        if problem.workload == "imdb_bow":
            update = partial(rmsprop, params, [torch.zeros_like(p) for p in params])
        else:
            foreach = None if fused else True
            adam = torch.optim.Adam(
                params, LEARNING_RATE, eps=EPSILON, fused=fused, foreach=foreach
            )
            update = adam.step

        def step(inputs: Any, targets: Any) -> None:
            loss = loss_of(forward(params, inputs), targets)
            for param in params:
                param.grad = None
            loss.backward()
            update()

        return trainer(problem, variant, params, step, batches)

    if problem.workload == "imdb_bow":
        return peer([Choice("", partial(build, False))], RMSPROP_NOTE)
    choices = [Choice("fused Adam", partial(build, True)), Choice("Adam", partial(build, False))]
    return peer(choices, _MALLOC_NOTE if variant.endswith("malloc") else "")


def peer(choices: Sequence[Choice], note: str = "") -> Peer:
    """Return the peer; on a GPU with TF32 in matrix products, as JAX has it there."""
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high")
    return Peer(torch.__version__, "gpu" if torch.cuda.is_available() else "cpu", choices, note)


def trainer(
    problem: Problem,
    variant: str,
    params: list[Any],
    step: Callable[[Any, Any], None],
    batches: list[tuple[Any, Any]],
) -> Trainer:
    """Return a trainer that calls a step for each batch, and changes the parameters in place."""

    def train(steps: int) -> None:
        for inputs, targets in batches[:steps]:
            step(inputs, targets)
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def loss() -> float:
        inputs, targets = batches[0]
        with torch.no_grad():
            logits = forward_of(problem, variant, checked=True)(params, inputs)
            return float(loss_of(logits, targets))

    return Trainer(lambda steps: seconds_of(lambda: train(steps)), loss)


def device_batches(problem: Problem, variant: str) -> list[tuple[Any, Any]]:
    """Return the batches as they lie on the device, views of one array where they can be."""
    dtype = torch.float32 if problem.workload == "imdb_bow" else torch.int64
    targets = torch.from_numpy(problem.targets).to(_device(), dtype).split(problem.batch_size)
    if variant in _SPARSE:
        inputs = [_SPARSE[variant](ids) for ids in problem.batches(problem.inputs)]
    else:
        dense = torch.from_numpy(problem.dense_inputs()).to(_device())
        if problem.workload == "mnist_cnn":
            dense = dense.permute(0, 3, 1, 2)  # one channel: both layouts are the same memory
        if _is_channels_last(variant):
            dense = dense.contiguous(memory_format=torch.channels_last)
        inputs = dense.split(problem.batch_size)
    return list(zip(inputs, targets, strict=True))


def _bag(ids: np.ndarray) -> tuple[Any, Any]:
    """The ids of a batch's reviews, one after the other, and where each begins."""
    flat, starts = _flat(ids)
    return flat, starts[:-1]


def _csr(ids: np.ndarray) -> Any:
    """The multi-hot matrix of a batch in compressed sparse rows."""
    flat, starts = _flat(ids)
    ones = torch.ones(len(flat), device=flat.device)
    return torch.sparse_csr_tensor(starts, flat, ones, size=(len(ids), NUM_WORDS))


def _flat(ids: np.ndarray) -> tuple[Any, Any]:
    starts = np.concatenate([[0], np.cumsum((ids > 0).sum(1))])
    flat = torch.from_numpy(ids[ids > 0].astype(np.int64))
    return flat.to(_device()), torch.from_numpy(starts).to(_device())


_SPARSE = {"torch_embedding_bag": _bag, "torch_sparse": _csr}


def parameters(problem: Problem, variant: str) -> list[Any]:
    """Return the initial parameters in PyTorch's layouts, weight and bias of each layer."""
    params = []
    for name, layer in problem.params.items():
        kernel = layer["kernel"]
        if kernel.ndim == 4:
            kernel = kernel.transpose(3, 2, 0, 1)
        elif len(kernel) == 1600 and not _is_channels_last(variant):
            kernel = kernel.reshape(5, 5, 64, 10).transpose(3, 2, 0, 1).reshape(10, 1600)
        elif not (variant in _SPARSE and name == "Dense_0"):
            kernel = kernel.T
        weight = torch.tensor(np.ascontiguousarray(kernel), device=_device())
        if _is_channels_last(variant) and kernel.ndim == 4:
            weight = weight.contiguous(memory_format=torch.channels_last)
        params += [weight, torch.tensor(layer["bias"], device=_device())]
    return params


def forward_of(problem: Problem, variant: str, checked: bool) -> Callable[[list[Any], Any], Any]:
    """Return the network as a function of its parameters and inputs, to the logits."""
    rate = 0.0 if checked else DROPOUT_RATE

    def cnn(params: list[Any], x: Any) -> Any:
        for kernel, bias in (params[:2], params[2:4]):
            x = F.max_pool2d(F.relu(F.conv2d(x, kernel, bias), inplace=True), 2)
        if _is_channels_last(variant):
            x = x.permute(0, 2, 3, 1)  # flattened without a copy
        return F.linear(F.dropout(x.flatten(1), rate), *params[4:])

    def dense(params: list[Any], x: Any) -> Any:
        if variant == "torch_embedding_bag":
            x = F.embedding_bag(x[0], params[0], x[1], mode="sum") + params[1]
        elif variant == "torch_sparse":
            x = torch.sparse.mm(x, params[0]) + params[1]
        else:
            x = F.linear(x.flatten(1), *params[:2])
        for i in range(2, len(params), 2):
            x = F.linear(F.relu(x, inplace=True), *params[i : i + 2])
        return x

    return cnn if problem.workload == "mnist_cnn" else dense


def _is_channels_last(variant: str) -> bool:
    return variant.startswith("torch_channels_last")


def loss_of(logits: Any, targets: Any) -> Any:
    """Return the mean loss of a batch."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], targets)
    return F.cross_entropy(logits, targets)


def rmsprop(params: list[Any], squares: list[Any], grads: list[Any] | None = None) -> None:
    """Make RMSprop's update with epsilon within the root, for all parameters at once.

    As many calls as `torch.optim.RMSprop(foreach=True)` makes.

    Args:
        params: changed in place.
        squares: running means of the squared gradients; changed in place.
        grads: by default those that `backward` left in the parameters.
    """
    with torch.no_grad():
        grads = grads or [param.grad for param in params]
        torch._foreach_mul_(squares, DECAY)
        torch._foreach_addcmul_(squares, grads, grads, 1 - DECAY)
        roots = torch._foreach_add(squares, EPSILON)
        torch._foreach_sqrt_(roots)
        torch._foreach_addcdiv_(params, grads, roots, -LEARNING_RATE)


def _device() -> Any:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
