"""Lists of stage positions as other programs keep them; `positions.py` is the door."""
