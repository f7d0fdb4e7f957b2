"""Ask the network of this folder: python run.py "A text." "Another one."

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

texts = sys.argv[1:] or ["Not a dull moment.", "Dull from start to finish."]
spaces = str.maketrans(dict.fromkeys(about["separators"], " "))
ids = {word: i for i, word in enumerate(about["vocabulary"]) if i > 3}  # 1 starts, 2 is unknown

words = [set(text.lower().translate(spaces).split(" ")) - {""} for text in texts]
rows = [{1, *(ids.get(word, 2) for word in found)} for found in words]
inputs = np.zeros((len(rows), max(map(len, rows))), np.int32)
for i, row in enumerate(rows):
    inputs[i, : len(row)] = sorted(row)
answers = np.asarray(program.call(weights, inputs)["probabilities"])
for text, found, row in zip(texts, words, answers, strict=True):
    said = [f"{row[i]:.1%} {about['class_names'][i]}" for i in np.argsort(-row)]
    print(text)
    print(" ", "  ".join(said) if found & ids.keys() else "none of its words is known")
