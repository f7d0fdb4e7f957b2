"""torchvision's networks in PyTorch eager, to be timed beside this project's."""

from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

NAMES = {
    "alexnet_2014": "torchvision's alexnet",
    "googlenet_bn": "torchvision's googlenet",
    **{name: f"torchvision's {name}" for name in ("vgg11", "vgg13", "vgg16", "vgg19")},
    **{f"resnet{n}": f"torchvision's resnet{n}" for n in (18, 34, 50, 101, 152)},
}
"""Where torchvision has the same architecture."""


def torch_calls(name: str, batch_size: int) -> dict[str, dict[str, Callable[[], Any]]]:
    """Return a forward pass and a training step, each with channels first and channels last.

    Args:
        name: of the catalog.
        batch_size: images of 224x224.

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
    labels = torch.arange(batch_size)
    calls: dict[str, dict[str, Callable[[], Any]]] = {"forward": {}, "step": {}}
    for layout in (torch.contiguous_format, torch.channels_last):
        images = torch.rand(batch_size, 3, 224, 224).to(memory_format=layout)
        network = make(**options).to(memory_format=layout)
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
        calls["forward"][str(layout)] = partial(_forward, torch, network, images)
        calls["step"][str(layout)] = partial(_step, torch, network, optimizer, images, labels)
    return calls


def _forward(torch: Any, network: Any, images: Any) -> None:
    network.eval()
    with torch.inference_mode():
        network(images)


def _step(torch: Any, network: Any, optimizer: Any, images: Any, labels: Any) -> None:
    network.train()
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(network(images), labels).backward()
    optimizer.step()


@cache
def _installed() -> bool:
    missing = [name for name in ("torch", "torchvision") if not find_spec(name)]
    if missing:
        print(f"Without PyTorch beside: {' and '.join(missing)} not installed")
    return not missing
