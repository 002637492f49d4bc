"""Parts of the one loop that teaches every network (`training.py`): its run, its settings, what it keeps and tells."""
