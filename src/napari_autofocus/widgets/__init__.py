"""The panels of napari: the only room that knows Qt, magicgui and napari; no logic of its own."""
