"""Parts of the Tunable lens panel (`lens_calibrating.py`): its form, its plot, what is kept, its words."""
