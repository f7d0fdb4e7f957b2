"""Random weights of torchvision's and timm's own networks give the logits that those give.

Needs PyTorch, and torchvision or timm; skipped without them. An image of 224x224, because the
averages that torchvision puts before its dense layers do nothing there.
"""

import numpy as np
import pytest
from safetensors.numpy import save_file

from dl_jax.models import create, load_weights
from dl_jax.ops.compile_once import compile_once

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("kind", ["safetensors", "pth"])
@pytest.mark.parametrize(
    ("name", "package", "theirs"),
    [
        ("alexnet_2014", "torchvision.models", "alexnet"),
        ("vgg11", "torchvision.models", "vgg11"),
        ("googlenet_bn", "torchvision.models", "googlenet"),
        ("resnet18", "torchvision.models", "resnet18"),
        ("resnet50", "torchvision.models", "resnet50"),
        ("vgg11", "timm", "vgg11"),
        ("resnet18", "timm", "resnet18"),
        ("resnet50", "timm", "resnet50"),
    ],
)
def test_logits_agree(name, package, theirs, kind, tmp_path):
    module = pytest.importorskip(package)
    torch.manual_seed(0)
    options = {"init_weights": True} if theirs == "googlenet" else {}
    make = module.create_model if package == "timm" else None
    network = make(theirs) if make else getattr(module, theirs)(**options)
    with torch.no_grad():  # normalisations that do something
        for key, tensor in network.state_dict().items():
            if key.endswith("running_var"):
                tensor.uniform_(1, 2)
            elif key.endswith(("running_mean", "bias")):
                tensor.uniform_(-0.1, 0.1)
    images = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        expected = network.eval()(images).numpy()
    path = tmp_path / f"weights.{kind}"
    tensors = {key: tensor.contiguous() for key, tensor in network.state_dict().items()}
    if kind == "pth":
        torch.save(tensors, path)
    else:
        save_file({key: tensor.numpy() for key, tensor in tensors.items()}, path)
    model = create(name)
    weights = load_weights(model, path)
    images = images.numpy().transpose(0, 2, 3, 1)
    logits = compile_once(model.apply)(weights.variables, images)
    # Roundings of float32, 2**-24 each, in the 50 layers of the deepest, doubled for two networks.
    np.testing.assert_allclose(logits, expected, rtol=0, atol=6e-6 * np.abs(expected).max())
