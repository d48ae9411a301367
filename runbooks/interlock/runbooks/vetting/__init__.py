"""What a vetting finds, and what is made of it; how it is carried out on a cluster is the command line's affair."""
