"""Text as the lecture's arrays have it: words ranked by frequency, ids offset by 3.

The lecture takes its reviews from Keras as lists of ids. These functions make the same kind
of list from raw text: Keras' punctuation filter, lower case, split at spaces; the most
frequent word of the training split has rank 1 and id 4.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from .dataset import Tokens
from .progress import track

NUM_WORDS = 10_000
"""Ids are below this, as the lecture's `num_words=10000`."""

PADDING, START, OUT_OF_VOCABULARY = 0, 1, 2

SPECIAL = ("<padding>", "<start>", "<unknown>", "<unused>")
"""What ids 0 to 3 stand for. Ranks begin at 1, so the offset of 3 leaves id 3 unused."""

SEPARATORS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
"""What stands between words besides spaces: Keras' filter."""

# On UTF-8 bytes: the filter is ASCII, so it never touches a byte of a longer character.
_TABLE = bytes.maketrans(SEPARATORS.encode(), b" " * len(SEPARATORS))
_CHUNK = 1000


def tokenize(text: str) -> list[str]:
    """The words of a text: lower case, punctuation replaced by spaces, split at spaces.

    As Keras does, other white space and the apostrophe stay part of a word, and the
    reviews' `<br />` leaves the word `br`.

    >>> tokenize("It's GOOD, isn't it?<br />Yes!")
    ["it's", 'good', "isn't", 'it', 'br', 'yes']
    """
    return [word.decode() for word in _words(text) if word]


def rank(texts: Sequence[str], num_words: int = NUM_WORDS) -> tuple[str, ...]:
    """The vocabulary of `texts`: the word of each id, at most `num_words` of them.

    After the four special entries the words come by falling frequency, those of equal
    frequency in the order of first appearance.

    Raises:
        ValueError: `num_words` leaves no word, or its ids do not fit uint16.
    """
    if not len(SPECIAL) < num_words <= 1 << 16:
        raise ValueError(f"num_words: expected {len(SPECIAL) + 1}..65536, got {num_words}")
    counts: Counter[bytes] = Counter()
    for words in _chunks(texts, "Counting words"):
        counts.update(words)
    del counts[b""], counts[b"\n"]
    # sorted is stable and a Counter keeps the order of insertion: ties are settled.
    words = sorted(counts, key=counts.__getitem__, reverse=True)
    return (*SPECIAL, *(word.decode() for word in words[: num_words - len(SPECIAL)]))


def encode(texts: Sequence[str], vocabulary: Sequence[str]) -> Tokens:
    """The ids of each text's words, after the start id 1; 2 for a word not in `vocabulary`.

    Args:
        texts: `n` texts.
        vocabulary: the word of each id, as `rank` returns it.

    Returns:
        `n` sequences of length `1 + number of words`.
    """
    table = _Ids({word.encode(): i for i, word in enumerate(vocabulary) if i >= len(SPECIAL)})
    table[b"\n"] = START
    table[b""] = PADDING
    parts = [
        np.fromiter(map(table.__getitem__, words), np.uint16, len(words))
        for words in _chunks(texts, "Encoding text")
    ]
    ids = np.concatenate(parts) if parts else np.empty(0, np.uint16)
    ids = ids[ids != PADDING]  # what neighbouring spaces left
    return Tokens(ids, np.append(np.flatnonzero(ids == START), len(ids)).astype(np.int64))


def decode(ids: np.ndarray, vocabulary: Sequence[str]) -> str:
    """One sequence of ids as words for people, without start and padding.

    Raises:
        ValueError: an id is outside the vocabulary.
    """
    if len(ids) and int(np.max(ids)) >= len(vocabulary):
        raise ValueError(f"ids: expected 0..{len(vocabulary) - 1}, got {int(np.max(ids))}")
    return " ".join(vocabulary[int(i)] for i in ids if i not in (PADDING, START))


def vectorize(tokens: Tokens, num_words: int = NUM_WORDS) -> np.ndarray:
    """The slide's multi-hot matrix: `x[i, j] = 1` where sequence `i` has the id `j`.

    A gigabyte for 25,000 reviews; training takes `distinct` instead.

    Returns:
        float32 `[n, num_words]`.

    Raises:
        ValueError: an id is `num_words` or larger.
    """
    if len(tokens.ids) and int(tokens.ids.max()) >= num_words:
        raise ValueError(f"tokens: expected ids below {num_words}, got {int(tokens.ids.max())}")
    matrix = np.zeros((len(tokens), num_words), np.float32)
    matrix[_rows(tokens), tokens.ids] = 1.0
    return matrix


def distinct(tokens: Tokens, length: int | None = None) -> np.ndarray:
    """The distinct ids of each sequence, ascending, padded with 0 at the end.

    Holds what `vectorize` holds in about 1/30 of the memory: a bag of words does not ask how
    often or where a word stands.

    Args:
        tokens: `n` sequences without the id 0.
        length: columns of the result; by default as many as the longest row needs.

    Returns:
        uint16 `[n, length]`.

    Raises:
        ValueError: a sequence has more than `length` distinct ids, or has the id 0.
    """
    if len(tokens.ids) and int(tokens.ids.min()) == PADDING:
        raise ValueError("tokens: expected ids from 1, got 0, which is the padding")
    keys = (_rows(tokens) << 16) | tokens.ids
    keys.sort()
    if len(keys):
        keys = keys[np.append(True, keys[1:] != keys[:-1])]
    rows = keys >> 16
    counts = np.bincount(rows, minlength=len(tokens))
    longest = int(counts.max(initial=0))
    if length is None:
        length = longest
    if longest > length:
        raise ValueError(
            f"length: expected at least {longest}, the most distinct ids of any sequence, "
            f"got {length}"
        )
    out = np.zeros((len(tokens), length), np.uint16)
    out[rows, np.arange(len(keys)) - np.repeat(np.cumsum(counts) - counts, counts)] = keys & 0xFFFF
    return out


def _rows(tokens: Tokens) -> np.ndarray:
    """For each id the sequence that it belongs to: int64 `[total]`."""
    return np.repeat(np.arange(len(tokens), dtype=np.int64), np.diff(tokens.offsets))


class _Ids(dict[bytes, int]):
    """A dictionary's own lookup stays in C for the words that it has: three times faster."""

    def __missing__(self, word: bytes) -> int:
        return OUT_OF_VOCABULARY


def _words(text: str) -> list[bytes]:
    return text.lower().encode().translate(_TABLE).split(b" ")


def _chunks(texts: Sequence[str], description: str) -> Iterator[list[bytes]]:
    """The words of many texts in one list; b"\\n", which the filter removes, begins a text."""
    starts = range(0, len(texts), _CHUNK)
    for start in track(starts, description, len(starts)):
        part = (text.lower().encode().translate(_TABLE) for text in texts[start : start + _CHUNK])
        yield b"".join(b"\n " + text + b" " for text in part).split(b" ")
