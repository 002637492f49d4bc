"""Parts of scans and slides of two shots a tile (`virtual_scan.py`, `virtual_slide.py`), and counting on them."""
