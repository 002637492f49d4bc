"""Files that somebody else may have written, opened with care: sizes, compressed parts, lists, aliases."""
