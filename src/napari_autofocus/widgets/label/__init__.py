"""Parts of the panel that labels z-stacks (`labelling.py`): the desk, the list, keys, brushes, patches."""
