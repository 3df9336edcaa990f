"""What the commands on data of the command line do."""
