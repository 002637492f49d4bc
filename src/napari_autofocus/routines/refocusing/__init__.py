"""Parts of a refocus (`refocus.py`, `two_shot.py`): its books, belief, help, uneven fields and empty ones."""
