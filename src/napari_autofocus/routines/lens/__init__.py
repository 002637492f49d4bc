"""Parts of measuring a tunable lens (`lens_calibration.py`): its books, and the way without a motorised stage."""
