"""What holds the Focus map panel together: its tabs, and what it puts away when it goes."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_autofocus.widgets.map.area import MapArea
from napari_autofocus.widgets.map.book import MapBook
from napari_autofocus.widgets.map.layers import MapLayers
from napari_autofocus.widgets.map.overview import OverviewLayers
from napari_autofocus.widgets.parts.tabs import SnugTabs

_NAMES = (
    ("Plan", "Take an overview, draw an area, choose how densely its points lie"),
    ("Points", "What was found where; change it by hand; the surface through it"),
    ("Compare", "The same points by z-stacks: how much longer, and how different"),
    ("Use", "Follow the map while the slide moves; write it to files"),
)


def stacked(*parts: QWidget) -> QWidget:
    """Parts below each other, at the top of a page."""
    page = QWidget()
    column = QVBoxLayout(page)
    column.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        column.addWidget(part)
    column.addStretch(1)
    return page


def tabs_of(*pages: QWidget) -> SnugTabs:
    """The four steps of a focus map behind tabs."""
    tabs = SnugTabs()
    for page, (name, tip) in zip(pages, _NAMES, strict=True):
        page.setContentsMargins(6, 0, 6, 4)
        tabs.add(page, name, tip)
    return tabs


class Leaving:
    """Ends what a panel does in the viewer, once: when it is destroyed, or the viewer closes.

    The map's layers stay, hidden: they are the user's. And napari 0.9.2 (vispy 0.17) crashes where they are removed
    after a dock has gone.
    """

    def __init__(
        self, uncover: Callable[[], None], book: MapBook, layers: MapLayers, overview: OverviewLayers, area: MapArea
    ) -> None:
        self._uncover, self._book = uncover, book
        self._layers, self._overview, self._area = layers, overview, area
        self._done = False

    def __call__(self, *_: object) -> None:
        if getattr(self, "_done", True):  # nothing is left of it where the garbage collector was first
            return
        self._done = True
        self._book.close()
        self._layers.leave()
        self._overview.hide(True)
        self._area.hide(True)
        self._area.let_all_go()
        self._uncover()
