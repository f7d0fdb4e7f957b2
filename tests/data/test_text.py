"""Text to ids: every expected value here can be counted by hand."""

import numpy as np
import pytest

from dl_jax.data import Tokens, decode, distinct, encode, rank, tokenize, vectorize
from dl_jax.data.text import SPECIAL


def tokens(*sequences: list[int]) -> Tokens:
    ids = np.array([i for sequence in sequences for i in sequence], np.uint16)
    return Tokens(ids, np.cumsum([0, *map(len, sequences)], dtype=np.int64))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The film, the FILM!", ["the", "film", "the", "film"]),
        ("great<br /><br />fun", ["great", "br", "br", "fun"]),
        ("don't -- well-made\tor\nnot", ["don't", "well", "made", "or", "not"]),
        ("Été\xa0chaud", ["été\xa0chaud"]),  # Keras splits at the space alone
        ('!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~', []),
        ("", []),
    ],
)
def test_tokenize(text: str, words: list[str]) -> None:
    assert tokenize(text) == words


def test_the_most_frequent_word_has_id_4_and_ties_keep_the_order_of_appearance() -> None:
    assert rank(["b a c", "a c", "d a"]) == (*SPECIAL, "a", "c", "b", "d")


def test_rank_keeps_num_words_ids() -> None:
    assert rank(["a a a b b c"], num_words=6) == (*SPECIAL, "a", "b")


@pytest.mark.parametrize("num_words", [4, 65537])
def test_rank_rejects_a_vocabulary_without_words_or_beyond_uint16(num_words: int) -> None:
    with pytest.raises(ValueError, match=rf"expected 5\.\.65536, got {num_words}"):
        rank(["a"], num_words)


def test_a_sequence_is_start_then_ids_with_2_for_unknown_words() -> None:
    encoded = encode(["a b, A!", "", "z  b"], (*SPECIAL, "a", "b"))
    assert encoded.ids.tolist() == [1, 4, 5, 4, 1, 1, 2, 5]
    assert encoded.offsets.tolist() == [0, 4, 5, 8]
    assert (encoded.ids.dtype, encoded.offsets.dtype) == (np.uint16, np.int64)


def test_a_word_of_the_text_never_becomes_a_special_id() -> None:
    assert encode(["<start> start padding"], SPECIAL).ids.tolist() == [1, 2, 2, 2]


def test_encoding_agrees_with_tokenize_across_chunks() -> None:
    texts = [f"w{i % 7} and w{i % 3}" for i in range(2500)]
    vocabulary = rank(texts)
    encoded = encode(texts, vocabulary)
    for i in (0, 999, 1000, 2499):
        sequence = encoded[i]
        assert isinstance(sequence, np.ndarray)
        assert [vocabulary[j] for j in sequence[1:]] == tokenize(texts[i])
    assert len(encoded) == 2500


def test_no_texts_are_no_sequences() -> None:
    assert len(encode([], SPECIAL)) == 0
    assert distinct(encode([], SPECIAL)).shape == (0, 0)


def test_decode_leaves_out_start_and_padding() -> None:
    assert decode(np.array([1, 4, 2, 0, 0]), (*SPECIAL, "good")) == "good <unknown>"
    with pytest.raises(ValueError, match=r"expected 0\.\.3, got 4"):
        decode(np.array([4]), SPECIAL)


def test_vectorize_is_the_multi_hot_matrix_of_the_slide() -> None:
    matrix = vectorize(tokens([1, 3, 3], [], [2]), num_words=4)
    assert matrix.tolist() == [[0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]]
    assert matrix.dtype == np.float32


def test_vectorize_rejects_ids_beyond_num_words() -> None:
    with pytest.raises(ValueError, match="expected ids below 4, got 4"):
        vectorize(tokens([4]), num_words=4)


def test_distinct_ids_ascend_and_are_padded_with_0() -> None:
    x = distinct(tokens([1, 9, 5, 9], [], [1, 65535]))
    assert x.tolist() == [[1, 5, 9], [0, 0, 0], [1, 65535, 0]]
    assert x.dtype == np.uint16


def test_distinct_takes_a_length_and_rejects_one_too_short() -> None:
    assert distinct(tokens([1, 2]), length=4).tolist() == [[1, 2, 0, 0]]
    with pytest.raises(ValueError, match=r"at least 2.*got 1"):
        distinct(tokens([1, 2]), length=1)


def test_distinct_rejects_the_padding_id() -> None:
    with pytest.raises(ValueError, match="expected ids from 1, got 0"):
        distinct(tokens([1, 0]))


def test_distinct_holds_what_vectorize_holds() -> None:
    random = np.random.default_rng(0)
    sequences = [random.integers(1, 50, n).tolist() for n in (0, 3, 40, 7)]
    matrix = np.zeros((4, 50))
    for row, ids in zip(matrix, distinct(tokens(*sequences)), strict=True):
        row[ids] = 1
    matrix[:, 0] = 0
    np.testing.assert_array_equal(matrix, vectorize(tokens(*sequences), 50))
