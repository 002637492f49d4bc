"""Parts of the Virtual refocus panel (`virtual_refocus.py`): shots, model, result, comparisons, scans."""
