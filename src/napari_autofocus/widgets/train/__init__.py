"""Parts of the Train panel (`training.py`): the choice, the training that runs, its curves and its result."""
