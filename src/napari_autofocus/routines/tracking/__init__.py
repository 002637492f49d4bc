"""Parts of holding focus over time (`track.py`): round by round, what is remembered, and what speaks against it."""
