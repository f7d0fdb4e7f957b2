"""Ask the network of this folder: python run.py [INPUTS.npy]; random ones unless given.

It takes what model.json says of its inputs, images as uint8 [n, height, width, channels].
Needed: pip install jax flatbuffers safetensors
"""

import json
import sys
from pathlib import Path

import numpy as np
from jax import export
from safetensors.numpy import load_file

folder = Path(__file__).parent
about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
program = export.deserialize(bytearray((folder / about["program"]).read_bytes()))
weights = load_file(folder / about["weights"])

if sys.argv[1:] and not sys.argv[1].endswith(".npy"):
    sys.exit(f"expected INPUTS.npy, {about['inputs']['dtype']} {about['inputs']['shape']}")
shape = (2, *about["inputs"]["shape"][1:])
random = np.random.default_rng(0).integers(0, 256, shape).astype(about["inputs"]["dtype"])
inputs = np.load(sys.argv[1]) if len(sys.argv) > 1 else random
for row in np.asarray(program.call(weights, inputs)["probabilities"]):
    likeliest = np.argsort(-row)[:3]
    print("  ".join(f"{row[i]:.1%} {about['class_names'][i]}" for i in likeliest))
