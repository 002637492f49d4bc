"""``python -m napari_autofocus`` is ``napari-autofocus``; torch's launcher starts it so."""

from __future__ import annotations

from napari_autofocus.cli import main

if __name__ == "__main__":
    main()
