"""Single estimates: which image is looked at, by which model, beside the live camera, and the read-out of it."""
