"""Parts of a sweep (`sweep.py`): its books, Brent's search, and what the samples say."""
