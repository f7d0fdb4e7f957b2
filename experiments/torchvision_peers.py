"""torchvision's networks in PyTorch, to be timed beside this project's."""

from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

from dl_jax.models.precision import Precision

NAMES = {
    "alexnet_2014": "torchvision's alexnet",
    "googlenet_bn": "torchvision's googlenet",
    **{name: f"torchvision's {name}" for name in ("vgg11", "vgg13", "vgg16", "vgg19")},
    **{f"resnet{n}": f"torchvision's resnet{n}" for n in (18, 34, 50, 101, 152)},
}
"""Where torchvision has the same architecture."""


def torch_calls(
    name: str, batch_size: int, precision: Precision = "float32"
) -> dict[str, dict[str, Callable[[int], None]]]:
    """Return a forward pass and a training step, each in some ways; called, they make so many.

    On a CPU eager, with channels first and with channels last; on a GPU with channels last and
    compiled, as it comes and with CUDA graphs. In bfloat16 by autocast, which keeps parameters in
    float32.

    Args:
        name: of the catalog.
        batch_size: images of 224x224.
        precision: of what the layers compute.

    Returns:
        Nothing for a network that torchvision does not have, or without PyTorch and torchvision,
        which is said once.
    """
    if name not in NAMES or not _installed():
        return {}
    import torch  # pyright: ignore[reportMissingImports]
    from torchvision import models  # pyright: ignore[reportMissingImports]

    options = {"aux_logits": False, "init_weights": False} if "googlenet" in name else {}
    make = getattr(models, NAMES[name].split()[-1])
    calls: dict[str, dict[str, Callable[[int], None]]] = {"forward": {}, "step": {}}
    for words, layout, compiled in _ways(torch):
        images = torch.rand(batch_size, 3, 224, 224).to(memory_format=layout)
        network = make(**options).to(memory_format=layout)
        if torch.cuda.is_available():
            images, network = images.cuda(), network.cuda()
        in_layers = torch.autocast(images.device.type, torch.bfloat16, precision == "bfloat16")
        arguments = (torch, compiled(network), in_layers, images)
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
        labels = torch.arange(batch_size, device=images.device)
        calls["forward"][words] = partial(_many, partial(_forward, *arguments))
        calls["step"][words] = partial(_many, partial(_step, *arguments, optimizer, labels))
    return calls


def _ways(torch: Any) -> list[tuple[str, Any, Callable[[Any], Any]]]:
    """What to call each, how its images lie, and what becomes of the network."""
    first, last = torch.contiguous_format, torch.channels_last
    if not torch.cuda.is_available():
        return [("channels first", first, _as_it_is), ("channels last", last, _as_it_is)]
    torch.set_float32_matmul_precision("high")  # TF32, as JAX has it there
    with_graphs = partial(torch.compile, mode="reduce-overhead")
    return [("compiled", last, torch.compile), ("with CUDA graphs", last, with_graphs)]


def _as_it_is(network: Any) -> Any:
    return network


def _forward(torch: Any, network: Any, in_layers: Any, images: Any) -> None:
    network.eval()
    with torch.inference_mode(), in_layers:
        network(images)


def _step(
    torch: Any, network: Any, in_layers: Any, images: Any, optimizer: Any, labels: Any
) -> None:
    network.train()
    optimizer.zero_grad()
    with in_layers:
        logits = network(images)
    torch.nn.functional.cross_entropy(logits.float(), labels).backward()
    optimizer.step()


def _many(call: Callable[[], None], number: int) -> None:
    import torch  # pyright: ignore[reportMissingImports]

    for _ in range(number):
        call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@cache
def _installed() -> bool:
    missing = [name for name in ("torch", "torchvision") if not find_spec(name)]
    if missing:
        print(f"Without PyTorch beside: {' and '.join(missing)} not installed")
    return not missing
