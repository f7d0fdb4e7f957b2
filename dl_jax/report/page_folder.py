"""The folder of a page that a command writes, and what a page needs."""

from importlib.util import find_spec
from pathlib import Path

from dl_jax.report.run_folder import make_run_folder


def page_folder(asked: str | None, name: str) -> Path | None:
    """Make the folder that `--page` asked for, or None where it did not.

    Args:
        asked: the path; where it is a folder, the new one is the next that is free beside it.
        name: of the command.

    Raises:
        ValueError: for a path that is a file; where there is no matplotlib, which draws the plots.
        RunFolderError: where no folder can be made.
    """
    if not asked:
        return None
    if find_spec("matplotlib") is None:
        raise ValueError(
            "--page needs matplotlib for its plots: pip install 'dl-jax[experiments]', or leave "
            "it out"
        )
    path = Path(asked).expanduser()
    if path.exists() and not path.is_dir():
        raise ValueError(f"--page {path}: expected a folder, got a file; choose another name")
    return make_run_folder(path, name, "--page")
