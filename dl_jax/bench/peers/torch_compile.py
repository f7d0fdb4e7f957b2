"""PyTorch compiled: forward, backward and update as one graph of `torch.compile`."""

from functools import partial
from typing import Any

import torch  # pyright: ignore[reportMissingImports]

from dl_jax.bench.peers import torch_eager as eager
from dl_jax.bench.peers import torch_network as network
from dl_jax.bench.peers.peer import Peer, Trainer
from dl_jax.bench.peers.problem import BETA_1, BETA_2, EPSILON, LEARNING_RATE, Problem


def load(problem: Problem, variant: str) -> Peer:
    """Return compiled PyTorch: both layouts of images, or both kinds of generated code."""
    del variant
    optimizer = "RMSprop" if problem.workload == "imdb_bow" else "Adam"
    note = f"{optimizer} written out, as one graph holds the whole step"
    settings: list[tuple[str, str, dict[str, Any]]] = [("torch", "compiled as it comes", {})]
    if problem.workload == "mnist_cnn":
        settings.append(("torch_channels_last", "channels last", {}))
    if torch.cuda.is_available():
        settings.append(("torch", "CUDA graphs", {"mode": "reduce-overhead"}))
    elif problem.workload != "mnist_cnn":  # of small steps, calling from Python is a large part
        settings.append(("torch", "cpp_wrapper", {"options": {"cpp_wrapper": True}}))
    layouts = {layout for layout, _, _ in settings}
    batches = {layout: network.device_batches(problem, layout) for layout in layouts}
    choices = [
        choice
        for layout, words, options in settings
        for choice in eager.in_threads(
            problem, words, partial(_whole, problem, layout, batches[layout], options)
        )
    ]
    return eager.peer(choices, note)


def _whole(
    problem: Problem,
    layout: str,
    batches: list[tuple[Any, Any]],
    options: dict[str, Any],
    threads: int,
    checked: bool,
) -> Trainer:
    params = network.parameters(problem, layout)
    forward = network.forward_of(problem, layout, checked)
    squares, means = ([torch.zeros_like(p) for p in params] for _ in range(2))
    count = torch.zeros((), device=params[0].device)

    def loss(params: list[Any], inputs: Any, targets: Any) -> Any:
        return network.loss_of(forward(params, inputs), targets)

    def step(inputs: Any, targets: Any) -> None:
        grads = torch.func.grad(loss)(params, inputs, targets)
        if problem.workload == "imdb_bow":
            eager.rmsprop(params, squares, grads)
        else:
            _adam(params, means, squares, count, grads)

    torch.set_num_threads(threads)  # what is compiled is compiled for them
    compiled = torch.compile(step, dynamic=False, **options)
    return eager.trainer(problem, layout, params, compiled, batches, threads)


def _adam(
    params: list[Any], means: list[Any], squares: list[Any], count: Any, grads: list[Any]
) -> None:
    """`w <- w - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)`, as torch.optim has it."""
    count.add_(1)
    first, second = 1 - BETA_1**count, 1 - BETA_2**count
    for param, mean, square, grad in zip(params, means, squares, grads, strict=True):
        mean.mul_(BETA_1).add_(grad, alpha=1 - BETA_1)
        square.mul_(BETA_2).addcmul_(grad, grad, value=1 - BETA_2)
        param.sub_(LEARNING_RATE * (mean / first) / ((square / second).sqrt() + EPSILON))
