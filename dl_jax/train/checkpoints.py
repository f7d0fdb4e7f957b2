"""Checkpoints on disk: there whole or not at all, and verified when they are read."""

import json
import os
import shutil
import warnings
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from dl_jax.data.digest import file_digest
from dl_jax.train.fit import Checkpoint
from dl_jax.train.leaves import from_leaves, leaves_of, names_of
from dl_jax.train.state import TrainState

if TYPE_CHECKING:
    from orbax.checkpoint import Checkpointer

VERSION = 1
"""Of the format; a later one is not read."""

_KEPT = 2
_UNFINISHED = "unfinished-"  # what a process that was killed while writing leaves


class CheckpointError(OSError):
    """A checkpoint that could not be written; the message names the last good one."""


class CheckpointWarning(UserWarning):
    """A checkpoint is damaged, and an earlier one was taken; or it is of another JAX."""


def save_checkpoint(folder: Path, checkpoint: Checkpoint, about: Mapping[str, Any]) -> Path:
    """Write a checkpoint to `folder/STEP`, and keep the one before it alone.

    It gets its name once all of it is written, so that whatever happens meanwhile there is none or
    a whole one. One that is there already, of the same step of the same run, stays.

    Of many processes one writes it; what is cut over devices has to be put together before.

    Args:
        folder: of the checkpoints of one training run; made if need be.
        checkpoint: as `fit` hands it out.
        about: of what run it is, as JSON has it; `load_checkpoint` compares it.

    Returns:
        Its path.

    Raises:
        CheckpointError: if it cannot be written; those that are there stay as they are.
    """
    import orbax.checkpoint as ocp

    path = (folder / str(checkpoint.step)).absolute()
    before = checkpoints_in(folder)
    if path in before:
        return path
    unfinished = path.with_name(f"{_UNFINISHED}{path.name}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(folder)
        leaves = leaves_of(checkpoint.state) | leaves_of({"totals": checkpoint.totals})
        needed, free = sum(a.nbytes for a in leaves.values()), shutil.disk_usage(folder).free
        if free < needed:  # sooner than TensorStore, which says so in hundreds of lines
            raise OSError(f"no space left, it takes {needed:,} bytes and {free:,} are free")
        with _checkpointer() as checkpointer:
            checkpointer.save(unfinished / "leaves", args=ocp.args.PyTreeSave(leaves))
        notes = {
            "version": VERSION,
            "jax": jax.__version__,
            "platform": jax.default_backend(),
            "about": about,
            "history": list(checkpoint.history),
            "seconds": checkpoint.seconds,
            "files": _files(unfinished / "leaves"),
        }
        (unfinished / "notes.json").write_text(json.dumps({**notes, "digest": _digest(notes)}))
        _flush(unfinished)
        unfinished.rename(path)
        _flush(folder, below=False)
    except Exception as error:  # a full disk is an OSError, or one of TensorStore's own
        _remove_unfinished(folder)
        last = f"the last good one is {before[-1]}" if before else "there is none before it"
        raise CheckpointError(f"{path}: cannot write the checkpoint, {last}: {error}") from error
    for old in before[: 1 - _KEPT]:
        shutil.rmtree(old)
    return path


def load_checkpoint(folder: Path, like: TrainState, about: Mapping[str, Any]) -> Checkpoint | None:
    """Return the newest good checkpoint in a folder, or None if there is none at all.

    A damaged one, of which something is missing or is not what was written, is put aside as
    `damaged-STEP`, with a warning that names it.

    Args:
        folder: as given to `save_checkpoint`.
        like: a state of the same training, or its shapes.
        about: of what run it has to be.

    Raises:
        ValueError: if all are damaged; or if it is of another run, of another network or of a
            later version; names the differences.
    """
    found, reasons = checkpoints_in(folder), []
    for path in reversed(found):
        try:
            notes, leaves = _read(path)
        except _OfLaterVersion:
            raise
        except Exception as error:  # whatever the readers of damaged files raise
            reasons.append(f"{path.name}: {error}")
            continue
        checkpoint = _checked(path, notes, leaves, like, about)
        for damaged in found[found.index(path) + 1 :]:
            aside = damaged.with_name(f"damaged-{damaged.name}")
            shutil.rmtree(aside, ignore_errors=True)
            damaged.rename(aside)
        if reasons:
            warnings.warn(
                f"{folder}: damaged and put aside, {'; '.join(reasons)}; it goes on from "
                f"{path.name} instead",
                CheckpointWarning,
                stacklevel=2,
            )
        return checkpoint
    if found:
        raise ValueError(
            f"{folder}: all checkpoints are damaged, {'; '.join(reasons)}; remove them to begin "
            "from the start"
        )
    return None


def checkpoints_in(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, whole ones and damaged ones, the oldest first."""
    numbered = [path for path in folder.absolute().glob("[0-9]*") if path.name.isdecimal()]
    return sorted(numbered, key=lambda path: int(path.name))


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """Return where two values as JSON has them differ, as `name: A, now B`."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = [*before, *(key for key in now if key not in before)]
        inner = ((before.get(k), now.get(k), f"{name}.{k}" if name else k) for k in keys)
        return [text for each in inner for text in differences(*each)]
    return [] if before == now else [f"{name}: {before}, now {now}"]


class _OfLaterVersion(ValueError):
    """Not damaged, but not to be understood either."""


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The notes and the leaves; no file is read as what it is before it is what was written."""
    notes = json.loads((path / "notes.json").read_text())
    if not isinstance(notes, dict) or not isinstance(notes.get("version"), int):
        raise ValueError("its notes are not what was written")
    if notes["version"] > VERSION:
        raise _OfLaterVersion(
            f"{path}: of version {notes['version']}, this dl_jax reads up to {VERSION}"
        )
    if notes.pop("digest", None) != _digest(notes):
        raise ValueError("its notes are not what was written")
    other = differences(notes["files"], _files(path / "leaves"))
    if other:
        raise ValueError(f"{other[0].split(':')[0]} is not what was written")
    with _checkpointer() as checkpointer:
        return notes, checkpointer.restore(path / "leaves")


def _checkpointer() -> "Checkpointer":
    """Of this process alone: of many that train as one, it waits for none of the others."""
    import orbax.checkpoint as ocp

    here = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(
        primary_host=here, active_processes={here}, barrier_sync_key_prefix=f"process_{here}"
    )
    handler = ocp.PyTreeCheckpointHandler(multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)


def _checked(
    path: Path,
    notes: dict[str, Any],
    leaves: dict[str, np.ndarray],
    like: TrainState,
    about: Mapping[str, Any],
) -> Checkpoint:
    other = differences(notes["about"], json.loads(json.dumps(about)))
    if other:
        raise ValueError(f"{path}: a checkpoint of another run: {'; '.join(other)}")
    expected = names_of(like)
    state = {name: leaf for name, leaf in leaves.items() if not name.startswith("totals.")}
    wrong = sorted(set(expected) ^ set(state))
    if wrong:
        raise ValueError(f"{path}: of another network or optimizer: {', '.join(wrong[:3])}")
    here = {"jax": jax.__version__, "platform": jax.default_backend()}
    other = differences({name: notes[name] for name in here}, here)
    if other:
        warnings.warn(
            f"{path}: {'; '.join(other)}; the last bits of the figures may differ from those of a "
            "run that was not interrupted",
            CheckpointWarning,
            stacklevel=3,
        )
    tree = from_leaves(state, like)
    rest = {k.removeprefix("totals."): v for k, v in leaves.items() if k not in state}
    totals = {name: jnp.asarray(total) for name, total in rest.items()}
    return Checkpoint(tree, totals, notes["history"], notes["seconds"])


def _files(folder: Path) -> dict[str, str]:
    """The digest of each file, by its path in the folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): file_digest(path) for path in files}


def _flush(folder: Path, below: bool = True) -> None:
    """Wait for the disk: after a power cut a name may be there without what it names."""
    if os.name != "posix":  # others do not open folders
        return
    for path in (*(folder.rglob("*") if below else ()), folder):
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _digest(notes: Mapping[str, Any]) -> str:
    return sha256(json.dumps(notes, sort_keys=True).encode()).hexdigest()


def _remove_unfinished(folder: Path) -> None:
    for path in folder.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)
