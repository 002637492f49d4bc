"""Parts of z-stacks whose focus is known (`labelled_stacks.py`): labels, records, patches, pairs and threes."""
