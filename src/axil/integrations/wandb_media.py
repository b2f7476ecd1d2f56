"""Media of the W&B shim: pictures, tables and files among the values of `wandb.log` become artifacts of the run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from axil import tracking
from axil.integrations.common import keep, warn


class Image:
    """A picture: an array, a PIL image, a figure, a tensor or a file. The caption goes into its name's table only."""

    def __init__(self, data_or_path: Any, mode: str | None = None, caption: str | None = None, **more: Any) -> None:
        self.data = data_or_path
        self.caption = caption

    def hand_over(self, name: str, step: int) -> None:
        """Make it an artifact."""
        data = self.data
        if hasattr(data, "savefig"):
            _call("log_figure", name, data, step=step)
            return
        if hasattr(data, "detach"):  # a tensor of torch: channels first
            data = data.detach().cpu().numpy()
            data = data.transpose(1, 2, 0) if data.ndim == 3 and data.shape[0] in (1, 3, 4) else data
        _call("log_image", name, data, step=step)


class Table:
    """Rows and columns, or a data frame."""

    def __init__(
        self, columns: Iterable[str] | None = None, data: Any = None, dataframe: Any = None, **more: Any
    ) -> None:
        self.dataframe = dataframe
        self.columns = list(columns or ())
        self.data = [list(row) for row in data] if data is not None and not hasattr(data, "columns") else []
        if hasattr(data, "columns"):
            self.dataframe = data

    def add_data(self, *row: Any) -> None:
        """Add a row."""
        self.data.append(list(row))

    def add_column(self, name: str, data: Iterable[Any]) -> None:
        """Add a column."""
        self.columns.append(name)
        values = list(data)
        self.data = [[*row, value] for row, value in zip(self.data or [[] for _ in values], values, strict=True)]

    def hand_over(self, name: str, step: int) -> None:
        """Make it an artifact."""
        if self.dataframe is not None:
            _call("log_table", name, self.dataframe, step=step)
        else:
            rows = [[cell.caption or "image" if isinstance(cell, Image) else cell for cell in row] for row in self.data]
            _call("log_table", name, rows, self.columns, step=step)


class Histogram:
    """Counts of values between edges; kept as a table."""

    def __init__(self, sequence: Any = None, np_histogram: Any = None, num_bins: int = 64) -> None:
        if np_histogram is None:
            import numpy

            np_histogram = numpy.histogram(sequence, bins=num_bins)
        self.counts, self.edges = ([*map(float, part)] for part in np_histogram)

    def hand_over(self, name: str, step: int) -> None:
        """Make it an artifact."""
        rows = [list(row) for row in zip(self.edges, self.edges[1:], self.counts, strict=False)]
        _call("log_table", name, rows, ["from", "to", "count"], step=step)


class _File:
    """A file as it is."""

    def __init__(self, data_or_path: Any, *args: Any, **more: Any) -> None:
        self.data = data_or_path

    def hand_over(self, name: str, step: int) -> None:
        """Make it an artifact."""
        if isinstance(self.data, str | os.PathLike) and os.path.exists(self.data):
            keep(os.fspath(self.data), f"{name}/{step}{os.path.splitext(self.data)[1]}")
        else:
            warn(f"{name} is not kept: only files can be, not {type(self.data).__name__}")


class Video(_File):
    """A film: a file."""


class Audio(_File):
    """Sound: a file."""


class Html(_File):
    """A page: a file, or its text."""

    def hand_over(self, name: str, step: int) -> None:
        """Make it an artifact."""
        if isinstance(self.data, str) and not os.path.exists(self.data):
            import tempfile

            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "page.html")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(self.data)
                keep(path, f"{name}/{step}.html")
        else:
            super().hand_over(name, step)


def log_media(row: Mapping[str, Any], step: int) -> None:
    """Hand over the media among the values of one row."""
    for name, value in row.items():
        many = value if isinstance(value, list | tuple) else [value]
        for at, item in enumerate(many):
            called = f"{name}/{at}" if len(many) > 1 else name
            if hasattr(item, "hand_over"):
                item.hand_over(called, step)
            elif hasattr(item, "savefig") or hasattr(item, "write_html"):
                _call("log_figure", called, item, step=step)


def _call(function: str, name: str, *args: Any, **more: Any) -> None:
    """Call a function of `axil.tracking`, if this version has it."""
    there = getattr(tracking, function, None)
    if there is None:
        warn(f"{name} is not kept: this version of axil has no axil.{function}")
    else:
        there(name, *args, **more)
