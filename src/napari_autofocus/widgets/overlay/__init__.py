"""Parts of what is laid over an image (`overlays.py`): its layers, its switches, patches, legend and region."""
