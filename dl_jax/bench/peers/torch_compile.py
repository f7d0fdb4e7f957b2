"""PyTorch compiled: forward, backward and update as one graph of `torch.compile`."""

from functools import partial
from typing import Any

import torch  # pyright: ignore[reportMissingImports]

from dl_jax.bench.peers import torch_eager as eager
from dl_jax.bench.peers.peer import Choice, Peer, Trainer
from dl_jax.bench.peers.problem import BETA_1, BETA_2, EPSILON, LEARNING_RATE, Problem


def load(problem: Problem, variant: str) -> Peer:
    """Return compiled PyTorch, with the layouts and options that there are to choose from."""
    del variant
    note = "Adam written out, as one graph holds the whole step"
    if problem.workload == "imdb_bow":
        note = "RMSprop written out, as one graph holds the whole step"
    fast = {"mode": "reduce-overhead"} if torch.cuda.is_available() else _CPP
    layouts = ["torch"]
    if problem.workload == "mnist_cnn":
        layouts.append("torch_channels_last")
    choices = []
    for layout in layouts:
        words = " channels last" if layout != "torch" else ""
        choices.append(Choice(f"whole step{words}", partial(_whole, problem, layout, fast)))
    return eager.peer(choices, note)


_CPP: dict[str, Any] = {"options": {"cpp_wrapper": True}}


def _whole(problem: Problem, layout: str, options: dict[str, Any], checked: bool) -> Trainer:
    params = eager.parameters(problem, layout)
    forward = eager.forward_of(problem, layout, checked)
    squares, means = ([torch.zeros_like(p) for p in params] for _ in range(2))
    count = torch.zeros((), device=params[0].device)

    def loss(params: list[Any], inputs: Any, targets: Any) -> Any:
        return eager.loss_of(forward(params, inputs), targets)

    def step(inputs: Any, targets: Any) -> None:
        grads = torch.func.grad(loss)(params, inputs, targets)
        if problem.workload == "imdb_bow":
            eager.rmsprop(params, squares, grads)
        else:
            _adam(params, means, squares, count, grads)

    compiled = torch.compile(step, dynamic=False, **options)
    return eager.trainer(problem, layout, params, compiled, eager.device_batches(problem, layout))


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
