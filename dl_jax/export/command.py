"""`dl-jax export`."""

import argparse
from pathlib import Path

from dl_jax.export.folder import export_run
from dl_jax.report import units


def run(options: argparse.Namespace) -> int:
    """Export a run and list what was written.

    Returns:
        0.

    Raises:
        ValueError, OSError, ModuleNotFoundError: from `export_run`.
    """
    folder = Path(options.run_folder).expanduser()
    out = Path(options.out).expanduser() if options.out else folder / "export"
    platforms = tuple(dict.fromkeys(options.platform))
    for path in export_run(folder, out, platforms):
        print(f"{units.count(path.stat().st_size, 'B'):>8}  {path}")
    print(f"For {', '.join(platforms)}, any number of examples. Ask it: python {out / 'run.py'}")
    return 0
