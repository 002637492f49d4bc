"""A frame as a predictor takes it: overview and patches, engines, and whether optics and exposure fit the model."""
