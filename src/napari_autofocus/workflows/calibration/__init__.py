"""Parts of a calibration to one microscope (`calibrate.py`): stand, stacks, teaching, proof, verdict, report."""
