"""Models of two shots (`pair_predictor.py`): what they learn from the difference of the shots, and teaching it."""
