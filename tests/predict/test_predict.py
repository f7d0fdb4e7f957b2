"""A trained network is asked, and answers; what it cannot be asked is said."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from dl_jax import data
from dl_jax.cli import main
from dl_jax.models import IMAGENET, Preprocessing, create, load_weights, read_notes, save_weights
from dl_jax.predict import answer, load_network, read_image, read_text

WORDS = (*data.SPECIAL, "good", "bad")


@pytest.fixture
def images(tmp_path):
    """A network of grey images that says `bright` of bright ones, and `dark` of all others."""
    model, shape = create("fashion_mlp", features=(2,)), jax.ShapeDtypeStruct((4, 4, 1), "float32")
    variables = model.init(jax.random.key(0), jnp.zeros((1, *shape.shape)))
    layer = {"kernel": jnp.tile(jnp.array([[1.0, -1.0]]), (16, 1)), "bias": jnp.array([-8.0, 8.0])}
    variables = {"params": {"Dense_0": layer}}
    save_weights(
        tmp_path / "weights.safetensors", variables, shape,
        model="fashion_mlp", fields={"features": (2,)}, class_names=("bright", "dark"),
    )  # fmt: skip
    Image.fromarray(np.full((9, 9, 3), 250, np.uint8)).save(tmp_path / "white.png")
    return tmp_path


@pytest.fixture
def texts(tmp_path):
    """A network of texts that knows two words."""
    model, shape = (
        create("imdb_bow", features=(1,), num_words=6),
        jax.ShapeDtypeStruct((32,), "int32"),
    )
    kernel = jnp.array([[0.0], [0.0], [0.0], [0.0], [3.0], [-3.0]])
    found = model.init(jax.random.key(0), jnp.ones((1, 32), jnp.int32))
    variables = jax.tree.map(lambda a: kernel if a.shape == kernel.shape else 0 * a, found)
    save_weights(
        tmp_path / "weights.safetensors", variables, shape, model="imdb_bow",
        fields={"features": (1,), "num_words": 6}, class_names=("neg", "pos"), vocabulary=WORDS,
    )  # fmt: skip
    return tmp_path


def test_an_image(images, capsys):
    assert main(["predict", str(images / "white.png"), "--weights", str(images), "--top", "1"]) == 0
    assert capsys.readouterr().out.split()[1:] == ["100.0%", "bright"]


def test_a_text_and_a_file_with_one(texts, capsys):
    (texts / "review.txt").write_text("Bad!")
    given = ["Good, good.", str(texts / "review.txt"), "neither"]
    assert main(["predict", *given, "--weights", str(texts)]) == 2
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines() if "%" in line] == [
        "pos", "neg", "neg", "pos",
    ]  # fmt: skip
    assert "neither: none of its words is among the 6 that were learned" in err


def test_a_file_is_no_review(texts, capsys):
    picture = str(texts / "white.png")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(picture)
    assert main(["predict", picture, "--weights", str(texts)]) == 2
    assert ": a file, but imdb_bow takes texts" in capsys.readouterr().err
    (texts / "latin.txt").write_bytes("gut, sehr schön".encode("latin-1"))
    assert main(["predict", str(texts / "latin.txt"), "--weights", str(texts)]) == 2
    assert ": 'utf-8' codec can't decode" in capsys.readouterr().err


def test_weights_that_are_no_numbers(images, capsys):
    weights = load_weights(create("fashion_mlp", features=(2,)), images / "weights.safetensors")
    spoilt = jax.tree.map(lambda a: a * np.nan, weights.variables)
    path = images / "weights.safetensors"
    save_weights(path, spoilt, weights.inputs, **read_notes(path))
    assert main(["predict", str(images / "white.png"), "--weights", str(images)]) == 2
    assert "what fashion_mlp gives is not finite" in capsys.readouterr().err


def test_several_inputs_are_one_program(images, monkeypatch):
    traces = []

    def logits(model, variables, inputs):
        traces.append(None)
        return model.apply(variables, inputs)

    monkeypatch.setattr("dl_jax.predict.network._logits", logits)
    network = load_network(images)
    example = read_image(images / "white.png", network.inputs.shape, None)
    for _ in range(3):
        answer(network, example)
    assert len(traces) == 1


def test_probabilities_of_yes_and_no(texts):
    network = load_network(texts)
    said = answer(network, read_text("good", WORDS).astype(np.int32))
    assert said[0].name == "pos"
    assert said[0].probability == pytest.approx(1 / (1 + np.exp(-3)), rel=1e-5)
    assert sum(one.probability for one in said) == pytest.approx(1)


def test_the_middle_of_an_image_is_cut_out(tmp_path):
    wide = np.zeros((10, 20, 3), np.uint8)
    wide[:, 5:15] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    how = Preprocessing(10, 10, (0.5,) * 3, (0.25,) * 3)
    assert (read_image(tmp_path / "wide.png", (10, 10, 3), how) == 2).all()
    squeezed = read_image(tmp_path / "wide.png", (10, 10, 1), None)
    assert squeezed[0, 0, 0] == 0
    assert squeezed[5, 5, 0] == 1


@pytest.mark.parametrize("size", [(640, 427), (427, 640), (231, 257)])
def test_an_image_is_what_torchvision_makes_of_it(size, tmp_path):
    transforms = pytest.importorskip("torchvision.transforms")
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    steps = (
        transforms.Resize(IMAGENET.resize),
        transforms.CenterCrop(IMAGENET.size),
        transforms.ToTensor(),
        transforms.Normalize(IMAGENET.mean, IMAGENET.std),
    )
    expected = transforms.Compose(steps)(Image.open(tmp_path / "image.png")).numpy()
    ours = read_image(tmp_path / "image.png", (224, 224, 3), IMAGENET)
    np.testing.assert_array_equal(ours, expected.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("white.png", "--top", "0"), "--top: expected at least 1"),
        (("no.png",), "no such file; expected an image"),
        (("weights.safetensors",), "no image that Pillow can read"),
        (("white.png", "--model", "resnet18"), "the keys are not the model's"),
        (("white.png", "--model", "resnet17"), "unknown model 'resnet17'; the models are"),
    ],
)
def test_what_cannot_be_asked(arguments, message, images, capsys):
    first, *options = arguments
    assert main(["predict", str(images / first), "--weights", str(images), *options]) == 2
    assert message in capsys.readouterr().err


def test_weights_that_are_not_there(tmp_path, capsys):
    assert main(["predict", "x.png", "--weights", str(tmp_path)]) == 2
    assert "expected a run's folder with weights.safetensors" in capsys.readouterr().err
    assert main(["predict", "x.png", "--weights", str(tmp_path / "none")]) == 2
    assert "no such file or run's folder" in capsys.readouterr().err
