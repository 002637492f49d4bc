"""Parts of work on many stacks that is spread over workers (`spread.py`): clusters, models, measuring, checking."""
