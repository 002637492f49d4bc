"""Z-stacks of a folder while they are labelled: the annotator's desk and list, Brenner's part, what it found kept."""
