"""The commands of `tunegate`, one module each; see `tunegate.cli.commands.Command`."""
