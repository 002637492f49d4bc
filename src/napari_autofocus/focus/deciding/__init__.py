"""From the patches of a frame to one defocus with a verdict: which are read, pooled and believed, and tilt."""
