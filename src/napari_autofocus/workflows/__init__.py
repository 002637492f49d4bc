"""What joins several rooms: stacks labelled, models made and proved, slides surveyed and scanned, reports written."""
