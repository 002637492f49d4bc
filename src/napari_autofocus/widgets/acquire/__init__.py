"""Parts of the Acquire stacks panel (`acquiring.py`): places, form, list of fields, the work and its words."""
