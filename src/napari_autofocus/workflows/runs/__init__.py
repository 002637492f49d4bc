"""Parts of the run log (`run_log.py`): one run, its files, and the drift that runs tell of."""
