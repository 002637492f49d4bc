"""Parts of models of one's own (`own_models.py`, `own_plan.py`): stacks, their split, teaching, what is left behind."""
