"""Parts of the Acquire with autofocus panel (`mda_focus.py`): arming the core, the form, the table."""
