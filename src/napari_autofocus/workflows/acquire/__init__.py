"""Parts of an acquisition of z-stacks (`acquisition.py`): its plan, its positions, its books."""
