"""What a trained network makes of an image file or a text."""

from dl_jax.predict.inputs import read_image, read_text
from dl_jax.predict.network import Answer, Network, answer, load_network

__all__ = ["Answer", "Network", "answer", "load_network", "read_image", "read_text"]
