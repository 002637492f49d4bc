"""Parts of acquiring z-stacks at many places (`acquire.py`): its books, and whether a field holds anything."""
