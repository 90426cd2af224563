"""The surroundings of a training: process group, libraries, error messages, console lines."""
