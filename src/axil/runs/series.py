"""The series file of a run in progress, summed up as it grows."""

from __future__ import annotations

from axil.formats.series import Reader, Summary

_PIECE = 1 << 20


class SeriesFile:
    """Reads on where it left off, so that each line is read once however many stages there are."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset = 0
        self._reader = Reader()
        self.summary = Summary()

    def catch_up(self) -> Summary:
        """Count what was written since the last call."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._offset)
                while piece := file.read(_PIECE):
                    self._offset += len(piece)
                    for point in self._reader.feed(piece):
                        self.summary.add(point)
        except FileNotFoundError:
            pass
        return self.summary

    def finish(self) -> Summary:
        """Count everything, a last line without an end included. Nothing may follow."""
        self.catch_up()
        for point in self._reader.finish():
            self.summary.add(point)
        return self.summary
