"""A training beside a window, in a process of its own: what it is asked, what it tells, how it ends."""
