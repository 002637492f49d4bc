"""Parts of the Calibrate panel (`calibrating.py`): its form, its progress and its result."""
