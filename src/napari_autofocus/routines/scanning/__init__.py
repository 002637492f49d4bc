"""Parts of going over a slide tile by tile (`virtual_scan.py`, `scout.py`): books, and the image that grows."""
