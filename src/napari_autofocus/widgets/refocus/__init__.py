"""One refocus: the Refocus tab of the Autofocus panel, its options and buttons, the runs behind it and undoing."""
