"""The focus measures by family; :mod:`napari_autofocus.focus.sharpness` is where they are called from."""
