"""Parts of teaching both stages together (`field_teaching.py`): the network, its samples, its task."""
