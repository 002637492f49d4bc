"""Parts of the search for settings to teach with (`tuning.py`): plan, members, steps, here or on Ray."""
