"""Tabs that take no more room than the page that is shown."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import QTabWidget, QWidget

_FRAME_PX = 4


class SnugTabs(QTabWidget):
    """Pages behind tabs; Qt would give all of them the room of the largest."""

    def __init__(self) -> None:
        super().__init__()
        self.currentChanged.connect(self.updateGeometry)

    def add(self, page: QWidget, name: str, tip: str) -> None:
        """Add a page."""
        self.setTabToolTip(self.addTab(page, name), tip)

    def sizeHint(self) -> QSize:
        page = self.currentWidget()
        return super().sizeHint() if page is None else self._around(page.sizeHint())

    def minimumSizeHint(self) -> QSize:
        page = self.currentWidget()
        return super().minimumSizeHint() if page is None else self._around(page.minimumSizeHint())

    def hasHeightForWidth(self) -> bool:
        page = self.currentWidget()
        return page is not None and page.hasHeightForWidth()

    def heightForWidth(self, width: int) -> int:
        """Wrapped lines need more height the narrower they are; only those of the page that is shown count."""
        page = self.currentWidget()
        return self._around(QSize(0, page.heightForWidth(width - _FRAME_PX) if page is not None else 0)).height()

    def _around(self, page: QSize) -> QSize:
        """The size of a page with the bar and the frame; as wide as the widest page, so that tabs do not move."""
        bar = self.tabBar().sizeHint()
        widest = max(self.widget(index).minimumSizeHint().width() for index in range(self.count()))
        return QSize(max(page.width(), widest, bar.width()) + _FRAME_PX, page.height() + bar.height() + _FRAME_PX)
