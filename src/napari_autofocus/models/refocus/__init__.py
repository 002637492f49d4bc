"""Parts of a virtual refocuser (`refocuser.py`): shots, tiles, engines, what it learns, how good it is."""
