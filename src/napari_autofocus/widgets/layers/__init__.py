"""Image layers of napari, and what drawing them takes: as a z-stack, as a depth map, as a difference of shots."""
