"""Labels: who said which stack, field or patch is sharp where."""

from __future__ import annotations

from napari_autofocus.labelling.store import Label, LabelEntry, LabelStore
from napari_autofocus.labelling.tables import export_labels, import_labels

__all__ = ["Label", "LabelEntry", "LabelStore", "export_labels", "import_labels"]
