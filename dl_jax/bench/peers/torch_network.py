"""The networks, their parameters and their data in PyTorch, as functions of tensors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch.nn import functional as F  # pyright: ignore[reportMissingImports]

from dl_jax.bench.peers.problem import DROPOUT_RATE, NUM_WORDS, Problem


def device() -> Any:
    """Return the GPU, if there is one that this build of PyTorch can use, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_batches(problem: Problem, variant: str) -> list[tuple[Any, Any]]:
    """Return the batches as they lie on the device, views of one array where they can be."""
    dtype = torch.float32 if problem.workload == "imdb_bow" else torch.int64
    targets = torch.from_numpy(problem.targets).to(device(), dtype).split(problem.batch_size)
    if variant in _SPARSE:
        inputs = [_SPARSE[variant](ids) for ids in problem.batches(problem.inputs)]
    else:
        dense = torch.from_numpy(problem.dense_inputs()).to(device())
        if variant == "torch_channels_last":
            dense = dense.permute(0, 3, 1, 2)  # the same memory: with strides of channels last
        elif problem.workload == "mnist_cnn":
            dense = dense.reshape(-1, 1, 28, 28)  # which has one channel, and strides of the first
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
    return flat.to(device()), torch.from_numpy(starts).to(device())


_SPARSE = {"torch_embedding_bag": _bag, "torch_sparse": _csr}


def parameters(problem: Problem, variant: str) -> list[Any]:
    """Return the initial parameters in PyTorch's layouts, weight and bias of each layer."""
    params = []
    for name, layer in problem.params.items():
        kernel = layer["kernel"]
        if kernel.ndim == 4:
            kernel = kernel.transpose(3, 2, 0, 1)
        elif len(kernel) == 1600 and variant != "torch_channels_last":
            kernel = kernel.reshape(5, 5, 64, 10).transpose(3, 2, 0, 1).reshape(10, 1600)
        elif not (variant in _SPARSE and name == "Dense_0"):
            kernel = kernel.T
        weight = torch.tensor(np.ascontiguousarray(kernel), device=device())
        if variant == "torch_channels_last" and kernel.ndim == 4:
            weight = weight.contiguous(memory_format=torch.channels_last)
        params += [weight, torch.tensor(layer["bias"], device=device())]
    return params


def forward_of(problem: Problem, variant: str, checked: bool) -> Callable[[list[Any], Any], Any]:
    """Return the network as a function of its parameters and inputs, to the logits."""
    rate = 0.0 if checked else DROPOUT_RATE

    def cnn(params: list[Any], x: Any) -> Any:
        for kernel, bias in (params[:2], params[2:4]):
            x = F.max_pool2d(F.relu(F.conv2d(x, kernel, bias), inplace=True), 2)
        if variant == "torch_channels_last":
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


def loss_of(logits: Any, targets: Any) -> Any:
    """Return the mean loss of a batch."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], targets)
    return F.cross_entropy(logits, targets)
