"""The pictures: each returns a `Picture` with its words."""

from dl_jax.report.plots.batch_sizes import Series, plot_batch_sizes
from dl_jax.report.plots.boundary import plot_decision_boundary
from dl_jax.report.plots.confusion import plot_confusion
from dl_jax.report.plots.curves import plot_functions
from dl_jax.report.plots.descent import plot_descent
from dl_jax.report.plots.feature_maps import Map, plot_feature_maps
from dl_jax.report.plots.grid_cells import Grid, Window, number_text, rows_text
from dl_jax.report.plots.grids import plot_grids
from dl_jax.report.plots.history import plot_history
from dl_jax.report.plots.image_rows import plot_image_rows
from dl_jax.report.plots.loss_curves import plot_loss_curves
from dl_jax.report.plots.predictions import plot_predictions
from dl_jax.report.plots.probabilities import plot_jacobian, plot_probabilities
from dl_jax.report.plots.ratios import Ratio, plot_ratios
from dl_jax.report.plots.roofline import Dot, plot_roofline
from dl_jax.report.plots.stages import Bar, plot_stages
from dl_jax.report.plots.sweep import Point, plot_sweep
from dl_jax.report.plots.weights import plot_weights

__all__ = [
    "Bar",
    "Dot",
    "Grid",
    "Map",
    "Point",
    "Ratio",
    "Series",
    "Window",
    "number_text",
    "plot_batch_sizes",
    "plot_confusion",
    "plot_decision_boundary",
    "plot_descent",
    "plot_feature_maps",
    "plot_functions",
    "plot_grids",
    "plot_history",
    "plot_image_rows",
    "plot_jacobian",
    "plot_loss_curves",
    "plot_predictions",
    "plot_probabilities",
    "plot_ratios",
    "plot_roofline",
    "plot_stages",
    "plot_sweep",
    "plot_weights",
    "rows_text",
]
