"""Parts of the sparsity tour (`sparsity_tour.py`): the layer of its fields and the table of answers."""
