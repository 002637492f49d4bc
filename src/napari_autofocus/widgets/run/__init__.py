"""Parts of the table of runs (`runs.py`): its rows and columns, one run in full, its words."""
