"""What every routine does alike: it owns its microscope, takes frames it can trust, and ends where it should."""
