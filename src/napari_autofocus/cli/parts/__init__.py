"""What commands share: groups of options, the microscope they name, progress, words and output."""
