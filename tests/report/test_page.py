import re
from html.parser import HTMLParser
from typing import Any

import pytest

from dl_jax.report import write_index, write_page
from dl_jax.report.markup import Html, element
from dl_jax.report.picture import DARK, LIGHT

EVIL = "<script>alert('&\"')</script>"
VOID = {"img", "link", "meta", "source"}


class Page(HTMLParser):
    """Every element with its attributes, the text, and whether all elements are closed."""

    def __init__(self, path):
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements, self.open, self.words = [], [], []
        self.feed(self.source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def page(tmp_path, make_result, picture):
    return Page(write_page(tmp_path, make_result(), [picture]))


def test_the_page_shows_the_result(page):
    for text in (
        "Digits A network reads digits. ✓ met",
        "test accuracy 0.9914 ✓ met 0.9911 ≥ 0.9890 lecture",
        "See it fall.",
        "Conv_0 26 × 26 × 32 320 389,376",
        "Total 34,826 389,376",
        "2 0.5000 0.7500 0.2500 1.0000",
        "Training 3 min 00 s",
        "60,000 examples",
        "learning rate 0.001 features 32, 64",
        "cores 2 jax 0.10.2",
        "python -m experiments.mnist_cnn --seed 0",
    ):
        assert text in page.text
    assert page.open == []
    assert page.text.count("could not be had") == 0


def test_the_page_needs_nothing_else(page):
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset"):
            value = attributes.get(name, "data:")
            assert value.startswith(("data:", "#"))
    assert not page.all("script")
    assert not re.search(r"https?://|@import|url\(", page.source)
    policy = next(a for a in page.all("meta") if a.get("http-equiv"))["content"]
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_pictures_have_words_and_both_versions(page, picture):
    (image,), (dark,) = page.all("img"), page.all("source")
    assert image["alt"] == "Loss falls."
    assert (image["width"], image["height"]) == ("110", "55")
    assert dark["media"] == "screen and (prefers-color-scheme: dark)"
    assert image["src"] != dark["srcset"]


def test_tables_are_readable_by_all(page):
    tables = len(page.all("table"))
    assert tables == len(page.all("caption")) == 3
    assert all(attributes["scope"] in ("row", "col") for attributes in page.all("th"))
    scrolling = [a for a in page.all("div") if a.get("class") == "scroll"]
    assert len(scrolling) == tables
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolling)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1


def test_the_epoch_with_the_lowest_validation_loss_is_set_apart(page):
    (row,) = re.findall(r'<tr class="best">(.*?)</tr>', page.source)
    assert re.sub("<.*?>", " ", row).split() == ["2", "0.5000", "0.7500", "0.2500", "1.0000"]


WORDS = {"title": "All", "description": "Everything.", "command": "python -m all"}


def test_everything_is_escaped(tmp_path, make_result, picture):
    def poison(value: Any) -> Any:
        if isinstance(value, str) and value not in ("finished", "met", ">="):
            return value + EVIL
        if isinstance(value, dict):
            return {
                key if key in known else key + EVIL: poison(item) for key, item in value.items()
            }
        return [poison(item) for item in value] if isinstance(value, list) else value

    result = make_result()
    known = {*result, *result["figures"][0], *result["data"], "name", "num_params", "rows",
             "layer", "output_shape", "params", "flops", "samples"}  # fmt: skip
    sample = {"text": EVIL, "target": EVIL, "prediction": EVIL, "probability": 0.5}
    result = poison(result) | {"samples": [sample]}
    result["data"] |= {"embedded": True, "reason": EVIL}
    bad = picture._replace(alt=EVIL, caption=EVIL)
    for path in (
        write_page(tmp_path, result, [bad]),
        write_index(tmp_path, [(result, [bad])], title=EVIL, description=EVIL, command=EVIL),
    ):
        page = Page(path)
        assert not page.all("script")
        assert page.open == []
        assert page.text.count("alert('&\"')") > 30
        assert page.all("img")[0]["alt"] == EVIL


def test_embedded_data_are_announced_before_anything_else(tmp_path, make_result):
    data = make_result()["data"] | {"embedded": True, "reason": "No network.\nNo cache."}
    page = Page(write_page(tmp_path, make_result(data=data)))
    notice = page.text.index("The real data set mnist could not be had: No network. No cache.")
    assert notice < page.text.index("A network reads digits")
    assert "numbers are not comparable" in page.text
    asked = Page(write_page(tmp_path, make_result(data=data | {"reason": None})))
    assert "This run was asked for embedded data in place of mnist" in asked.text


@pytest.mark.parametrize(
    ("epochs", "text"),
    [(0, "before the end of its first epoch"), (1, "after 1 epoch;"), (2, "after 2 epochs;")],
)
def test_an_interrupted_run_shows_what_there_is(tmp_path, make_result, epochs, text):
    result = make_result(status="interrupted", verdict="interrupted", figures=[], model=None)
    result["history"], result["times"] = result["history"][:epochs], {"training": None}
    page = Page(write_page(tmp_path, result))
    assert f"This run was interrupted {text}" in page.text
    assert "No figure was measured." in page.text
    assert page.open == []


def test_values_that_are_not_finite(tmp_path, make_result):
    # As they are in memory, and as they come back from result.json.
    history = [{"epoch": 1, "val_loss": float("nan")}, {"epoch": 2, "val_loss": "Infinity"}]
    page = Page(write_page(tmp_path, make_result(history=history)))
    assert "1 NaN 2 Infinity" in page.text
    assert 'class="best"' not in page.source


def test_samples(tmp_path, make_result):
    long = " ".join(f"word{i}" for i in range(200))
    samples = [
        {"text": "Dull.", "target": "negative", "prediction": "negative", "probability": 0.75},
        {"text": long, "target": "negative", "prediction": "positive", "probability": 0.6},
    ]
    page = Page(write_page(tmp_path, make_result(samples=samples)))
    assert "Dull. ✓ negative 75% word0 word1" in page.text
    assert "… ✗ positive 60% true: negative" in page.text
    assert "word199" not in page.text


def test_numbers_are_a_table_with_words_to_the_left(tmp_path, make_result):
    numbers = {"caption": "Pooled", "columns": ["Kind", "Value"],
               "rows": [["max", 3], ["<b>", None]]}  # fmt: skip
    page = Page(write_page(tmp_path, make_result(tables=[numbers])))
    assert "Pooled Kind Value max 3 <b> –" in page.text
    assert '<th scope="row">max</th><td class="num">3</td>' in page.source


@pytest.mark.parametrize(("columns", "wide"), [(6, 0), (7, 1)])
def test_a_table_of_many_columns_may_be_wider_than_the_text(columns, wide, tmp_path, make_result):
    table = {"caption": "Times", "columns": ["t"] * columns, "rows": [[1.0] * columns]}
    text = write_page(tmp_path, make_result(tables=[table])).read_text()
    assert text.count('class="scroll wide"') == wide


def test_without_data_or_times_there_is_no_section_on_them(tmp_path, make_result):
    page = Page(write_page(tmp_path, make_result(data=None, times={})))
    assert "SHA-256" not in page.text
    assert "<h2>Times</h2>" not in page.source


def test_the_index_leads_to_every_experiment(tmp_path, make_result, picture):
    data = make_result()["data"] | {"embedded": True, "reason": "no network"}
    runs = [
        (make_result(), [picture]),
        (make_result(experiment="imdb", title="Reviews", verdict="missed", data=data), [picture]),
        (make_result(experiment="none", title="Stopped", verdict="interrupted",
                     status="interrupted", figures=[]), []),
    ]  # fmt: skip
    page = Page(write_index(tmp_path, runs, **WORDS))
    anchors = {attributes["href"] for attributes in page.all("a")}
    assert anchors == {"#mnist_cnn", "#imdb", "#none"}
    assert [a["id"] for a in page.all("article")] == ["mnist_cnn", "imdb", "none"]
    assert "3 experiments: 1 met; 1 missed; 1 interrupted." in page.text
    assert page.text.index("Real data could not be had for: Reviews") < page.text.index("3 exp")
    assert len(page.all("h1")) == 1
    assert len(page.all("img")) == 2


def test_an_index_says_once_what_all_ran_on(tmp_path, make_result):
    runs = [(make_result(), []), (make_result(experiment="imdb"), [])]
    page = Page(write_index(tmp_path, runs, **WORDS))
    assert page.text.count("cores 2") == 1
    elsewhere = make_result(experiment="imdb", environment={"cores": 64})
    page = Page(write_index(tmp_path, [*runs[:1], (elsewhere, [])], **WORDS))
    assert page.text.count("cores 2") == page.text.count("cores 64") == 1


def test_where_nothing_was_trained_the_pictures_come_first(tmp_path, make_result, picture):
    trained = Page(write_page(tmp_path, make_result(), [picture])).text
    drawn = Page(write_page(tmp_path, make_result(history=[]), [picture])).text
    assert trained.index("Results") < trained.index("Pictures")
    assert drawn.index("Pictures") < drawn.index("Results")


def test_an_index_of_nothing(tmp_path):
    assert not Page(write_index(tmp_path, [], **WORDS)).all("table")


def test_a_picture_that_is_none_says_so(tmp_path, make_result, picture):
    picture.path.write_bytes(b"not a picture at all, but long enough")
    with pytest.raises(ValueError, match="expected a PNG"):
        write_page(tmp_path, make_result(), [picture])
    assert not (tmp_path / "index.html").exists()


def test_element_escapes_what_is_not_html():
    assert element("a", "<", Html("<b>"), None, 1, href='"') == '<a href="&quot;">&lt;<b>1</a>'
    assert element("img", alt="", hidden=None) == '<img alt="">'


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_is_enough_and_pictures_have_the_page_s_colours(page):
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w{6})", block))
        for block in re.findall(r":root \{(.*?)\}", page.source, re.DOTALL)[:2]
    )
    pairs = ["ink surface", "muted surface", "blue surface", "red surface"]
    pairs += ["ink raised", "green green-tint", "red red-tint", "muted grey-tint"]
    pairs += ["notice-ink notice-tint"]
    for colours, theme in ((light, LIGHT), (dark, DARK)):
        for pair in pairs:
            low, high = sorted(luminance(colours[name]) for name in pair.split())
            assert (high + 0.05) / (low + 0.05) >= 4.5, pair
        for name in ("surface", "ink", "muted", "line", "blue", "red"):
            assert colours[name] == getattr(theme, name)
