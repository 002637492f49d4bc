"""The table of likeness and counts: both shots, the recovered image and the true one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_autofocus.widgets.parts.quiet_table import QuietTable
from napari_autofocus.widgets.virtual.figures import Figure

_HEADERS = (
    ("Image", "What was measured"),
    ("PSNR", "Peak signal-to-noise ratio against the true image, dB: higher is nearer to it"),
    ("SSIM", "Structural similarity to the true image, up to 1"),
    ("Cells", "Cells or nuclei counted (a number)"),
)
_ROW_PX = 22
_WIDTH_PX = 220


class FigureTable(QuietTable):
    """A row for each image; the recovered one, and what is best of shots and recovered, in bold."""

    def __init__(self) -> None:
        super().__init__(_HEADERS, row_px=_ROW_PX, width_px=_WIDTH_PX)
        self.hide()

    def show_rows(self, rows: Sequence[Figure]) -> None:
        """Show these images; none hides the table, and a column that says nothing is hidden."""
        self.setRowCount(len(rows))
        texts = [_texts(row) for row in rows]
        for place, (row, told) in enumerate(zip(rows, texts, strict=True)):
            for column, text in enumerate(told):
                self.put(place, column, text, row.about)
        for column in range(1, len(_HEADERS)):
            self.setColumnHidden(column, not any(told[column] for told in texts))
        self._embolden(rows)
        self.setFixedHeight(_ROW_PX * len(rows) + self.horizontalHeader().sizeHint().height() + 4)
        self.setVisible(any(any(told[1:]) for told in texts))

    def _embolden(self, rows: Sequence[Figure]) -> None:
        """The nearest to the true image stands out."""
        for column, values in ((1, [row.psnr_db for row in rows]), (2, [row.ssim for row in rows])):
            known = [(value, place) for place, value in enumerate(values) if value is not None]
            if known:
                self.embolden(max(known)[1], column)


def _texts(row: Figure) -> tuple[str, str, str, str]:
    return (
        row.name,
        "" if row.psnr_db is None else ("∞" if math.isinf(row.psnr_db) else f"{row.psnr_db:.1f} dB"),
        "" if row.ssim is None else f"{row.ssim:.3f}",
        "" if row.cells is None else f"{row.cells}",
    )
