"""Benchmarks side by side, and the reasons why rows are not."""

import json
import re
from pathlib import Path

import pytest

from dl_jax.bench.compare import compare_columns
from dl_jax.bench.same_work import Column
from dl_jax.cli import main

RESULTS = Path(__file__).parents[2] / "results"
DIFFERENT = {
    "batch_size": (64, "batch size 128 in a, 64 in b"),
    "precision": ("bfloat16", "precision float32 in a, bfloat16 in b"),
    "image_size": (32, "image size 28 in a, 32 in b"),
    "num_epochs": (3, "epochs of a run none in a, 3 in b"),
    "members": (8, "members of the ensemble 1 in a, 8 in b"),
    "data": ("real", "data synthetic in a, real in b"),
    "num_train": (100, "training examples 54000 in a, 100 in b"),
    "num_params": (5, "parameters 34826 in a, 5 in b"),
    "step_counted": (
        {"flops": 2e9, "bytes": 38e6},
        "FLOPs of a step 1,825,000,000 in a, 2,000,000,000 in b",
    ),
}


@pytest.fixture
def columns(make_record):
    def make(*rows_of):
        names = "abc"
        return [
            Column(name, make_record(*rows), "cpu:0")
            for name, rows in zip(names, rows_of, strict=False)
        ]

    return make


def test_ratios_have_the_spread_of_both(columns, make_row):
    before, now = make_row(step=0.030, spread=0.05), make_row(step=0.010, spread=0.02)
    found = compare_columns(columns([before], [now]))
    (match,) = found.matches
    assert match.ratios[0] is None
    ratio = match.ratios[1]
    assert ratio is not None
    assert ratio.median == pytest.approx(3)
    assert ratio.low == pytest.approx(3 * 0.95 / 1.02)
    assert ratio.high == pytest.approx(3 * 1.05 / 0.98)
    assert ratio.verdict == "faster"
    assert (found.refused, found.alone) == ([], [])


@pytest.mark.parametrize(
    ("step", "spread", "verdict"),
    [
        (0.010, 0.02, "faster"),
        (0.090, 0.02, "slower"),
        (0.0275, 0.02, "same"),
        (0.01, 0.1, "noisy"),
    ],
)
def test_the_verdict(columns, make_row, step, spread, verdict):
    found = compare_columns(columns([make_row(0.027)], [make_row(step, spread)]))
    assert [ratio.verdict for ratio in found.matches[0].ratios if ratio] == [verdict]


@pytest.mark.parametrize("key", DIFFERENT)
def test_other_work_is_refused_and_it_is_said_why(columns, make_row, key):
    value, said = DIFFERENT[key]
    same = make_row(variant="epoch")
    found = compare_columns(columns([make_row(), same], [make_row(**{key: value}), same]))
    assert len(found.matches) == 1
    assert found.refused == [f"mnist_cnn step, batch 128, float32: {said}"]
    assert found.alone == []
    with pytest.raises(ValueError, match=re.escape(said)):
        compare_columns(columns([make_row()], [make_row(**{key: value})]))


def test_another_matmul_precision_is_other_work(columns, make_row):
    first, second = columns([make_row()], [make_row()])
    second.record["environment"]["default_matmul_precision"] = "highest"
    with pytest.raises(ValueError, match="precision of matrix products default in a, highest in b"):
        compare_columns([first, second])


def test_several_batch_sizes_are_each_compared_with_their_own(columns, make_row):
    one = [make_row(batch_size=size, step=size / 1e4) for size in (32, 64, 128)]
    two = [make_row(batch_size=size, step=size / 2e4) for size in (128, 32)]
    found = compare_columns(columns(one, two))
    assert [match.rows[0]["batch_size"] for match in found.matches if match.rows[0]] == [32, 128]
    assert [ratio.median for m in found.matches for ratio in m.ratios if ratio] == [2, 2]
    assert found.refused == []
    assert found.alone == ["mnist_cnn step, batch 64, float32: only in a, not in b"]


def test_rows_that_only_one_has_are_listed(columns, make_row):
    full = {"status": "out of memory", "fits": 32, "step": None}
    found = compare_columns(
        columns(
            [make_row(), make_row(variant="run"), make_row(variant="epoch")],
            [make_row(), make_row(workload="imdb_bow"), make_row(variant="epoch", **full)],
        )
    )
    assert found.alone == [
        "mnist_cnn run, batch 128, float32: only in a, not in b",
        "mnist_cnn epoch, batch 128, float32: only in a, in b out of memory at batch 128; "
        "batch 32 did fit",
        "imdb_bow step, batch 128, float32: only in b, not in a",
    ]


def test_three_benchmarks_are_all_compared_with_the_first(columns, make_row):
    found = compare_columns(columns([make_row(0.04)], [make_row(variant="run")], [make_row(0.01)]))
    (match,) = found.matches
    assert [ratio and ratio.median for ratio in match.ratios] == [None, None, 4]
    assert match.rows[1] is None


@pytest.fixture
def files(tmp_path, make_record):
    def make(*rows_of, **changes):
        paths = []
        for name, rows in zip("abc", rows_of, strict=False):
            path = tmp_path / f"{name}.json"
            path.write_text(json.dumps(make_record(*rows, **changes)))
            paths.append(str(path))
        return paths

    return make


def test_the_command_prints_both_within_100_columns(files, make_row, capsys):
    row = make_row(0.0123456, 0.09, variant="ensemble", members=64)
    assert main(["compare", *files([make_row(0.03), row], [make_row(0.01), row])]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "A  a: Some CPU, 2 cores, cpu:0; jax 0.10.2, dl-jax 0.1.0"
    assert any(line.startswith("step: mnist_cnn, batch 128, 28x28, float32") for line in lines)
    assert any(re.search(r"B +10\.0 \[9\.80, 10\.2\] ms .* 3\.00 \[2\.88, 3\.12\]  faster", line)
               for line in lines)  # fmt: skip
    assert any(line.startswith("ensemble 64: ") for line in lines)
    assert max(map(len, lines)) <= 100


def test_the_commit_is_shown_where_a_record_has_it(files, make_row, make_record, capsys):
    old, new = files([make_row()], [make_row()])
    record = make_record()
    record["environment"]["commit"] = "0123456789ab-dirty"
    Path(new).write_text(json.dumps(record))
    assert main(["compare", old, new]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.endswith("dl-jax 0.1.0")
    assert second.endswith("dl-jax 0.1.0, commit 0123456789ab-dirty")


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_published_record_is_read_and_so_it_is_without_a_commit(path, tmp_path, capsys):
    record = json.loads(path.read_text())
    record["environment"].pop("commit")
    (older := tmp_path / "older.json").write_text(json.dumps(record))
    assert main(["compare", str(path), str(older)]) == 0
    assert capsys.readouterr().out.count(", commit ") == len(record["devices"])


def test_the_command_says_what_was_not_compared_by_its_exit_code(files, make_row, capsys):
    same = make_row(variant="epoch")
    assert main(["compare", *files([make_row(), same], [make_row(batch_size=64), same])]) == 1
    assert "Not compared, for it is other work:\nmnist_cnn step" in capsys.readouterr().out
    assert main(["compare", *files([make_row()], [make_row(batch_size=64)])]) == 2
    assert "batch size 128 in a, 64 in b" in capsys.readouterr().err


def test_devices_of_one_benchmark_are_compared(files, make_row, make_record, capsys):
    (cpu,) = make_record()["devices"]
    gpu = {**cpu, "name": "gpu:0", "platform": "gpu", "kind": "Some GPU"}
    rows = [make_row(0.03), make_row(0.001, device="gpu:0")]
    assert main(["compare", *files(rows, devices=[cpu, gpu])]) == 0
    printed = capsys.readouterr().out
    assert "B  a gpu:0: Some GPU, 2 cores, gpu:0" in printed
    assert "30.0 [28.8, 31.2]  faster" in printed


def test_the_page_has_the_plot(files, make_row, tmp_path, capsys):
    paths = files([make_row(0.03)], [make_row(0.01), make_row(variant="run")])
    assert main(["compare", *paths, "--page", str(tmp_path / "page")]) == 0
    page = (tmp_path / "page" / "index.html").read_text()
    assert "Times as fast as a" in page
    assert "mnist_cnn run, batch 128, float32: only in b, not in a" in page
    assert page.count('src="data:image/png') == 1
    assert (tmp_path / "page" / "ratios-dark.png").exists()


def test_files_that_are_no_benchmarks_are_refused(files, make_row, tmp_path, capsys):
    (path,) = files([make_row()])
    other = tmp_path / "other.json"
    other.write_text('{"format": "dl_jax benchmark", "version": 9}')
    for arguments, said in (
        ([path], "expected two benchmarks or more"),
        ([path, str(other)], "version 9, expected version 1"),
        (
            [path, str(tmp_path / "none.json")],
            "none.json: expected a benchmark, as dl-jax bench "
            "--json writes it, got no file of that name",
        ),
        (
            [path, str(tmp_path)],
            f"{tmp_path}: expected a benchmark, as dl-jax bench --json writes "
            "it, got one that cannot be read (Is a directory)",
        ),
    ):
        assert main(["compare", *arguments]) == 2
        assert said in capsys.readouterr().err


def test_a_page_in_the_place_of_a_file_is_refused(files, make_row, capsys):
    one, two = files([make_row()], [make_row()])
    assert main(["compare", one, two, "--page", one]) == 2
    printed = capsys.readouterr()
    assert f"--page {one}: expected a folder, got a file" in printed.err
    assert printed.out == ""
