"""The commands of `tunegate`, one module each; see `tunegate.cli.main.Command`."""
