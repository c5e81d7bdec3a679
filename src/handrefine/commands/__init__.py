"""What the command line does, one file a command; the Python interface may call them as well."""
