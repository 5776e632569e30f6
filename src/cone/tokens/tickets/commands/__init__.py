"""The commands for tickets."""
