"""Data sets as arrays in memory: `load` for the real ones, `embedded` for the built-in ones."""

from .dataset import Dataset, Info, Split, Tokens
from .embedded import embedded
from .errors import CacheWarning, DataCorrupted, DataNotFound, DataWarning
from .load import available, check_labels, load
from .text import SPECIAL, decode, distinct, encode, rank, tokenize, vectorize

__all__ = [
    "SPECIAL",
    "CacheWarning",
    "DataCorrupted",
    "DataNotFound",
    "DataWarning",
    "Dataset",
    "Info",
    "Split",
    "Tokens",
    "available",
    "check_labels",
    "decode",
    "distinct",
    "embedded",
    "encode",
    "load",
    "rank",
    "tokenize",
    "vectorize",
]
