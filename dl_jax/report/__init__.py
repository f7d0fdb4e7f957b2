"""What a run leaves behind: its folder, its plots, its page, and the table in the console."""

from dl_jax.report.boundary import plot_decision_boundary
from dl_jax.report.console import print_results
from dl_jax.report.curves import plot_functions
from dl_jax.report.descent import plot_descent
from dl_jax.report.environment import environment
from dl_jax.report.grid_cells import Grid, Window, number_text, rows_text
from dl_jax.report.grids import plot_grids
from dl_jax.report.loss_curves import plot_loss_curves
from dl_jax.report.numbers import format_number, format_seconds
from dl_jax.report.page import write_index, write_page
from dl_jax.report.picture import Picture
from dl_jax.report.plots import plot_confusion, plot_history, plot_predictions
from dl_jax.report.probabilities import plot_jacobian, plot_probabilities
from dl_jax.report.result import (
    Data,
    Direction,
    Figure,
    Layer,
    Model,
    Result,
    Sample,
    Table,
    Verdict,
    embedded,
    judge,
    overall,
)
from dl_jax.report.run_folder import (
    RunFolderError,
    append_jsonl,
    make_run_folder,
    write_json,
    write_text,
)
from dl_jax.report.weights import plot_weights

__all__ = [
    "Data",
    "Direction",
    "Figure",
    "Grid",
    "Layer",
    "Model",
    "Picture",
    "Result",
    "RunFolderError",
    "Sample",
    "Table",
    "Verdict",
    "Window",
    "append_jsonl",
    "embedded",
    "environment",
    "format_number",
    "format_seconds",
    "judge",
    "make_run_folder",
    "number_text",
    "overall",
    "plot_confusion",
    "plot_decision_boundary",
    "plot_descent",
    "plot_functions",
    "plot_grids",
    "plot_history",
    "plot_jacobian",
    "plot_loss_curves",
    "plot_predictions",
    "plot_probabilities",
    "plot_weights",
    "print_results",
    "rows_text",
    "write_index",
    "write_json",
    "write_page",
    "write_text",
]
