"""The slide as a plane: where tiles lie on it. numpy, scipy and opencv; no hardware, no files."""
