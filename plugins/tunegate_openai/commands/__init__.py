"""What `tunegate` can do with a job at a provider."""
