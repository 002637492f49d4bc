"""Parts of the comparison of methods on ever sparser fields (`sparsity.py`): records, answers, the figure."""
