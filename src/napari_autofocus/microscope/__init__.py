"""What a routine may ask of a microscope, and who answers: any Micro-Manager core, or a simulated one."""
