"""Sends runs to MLflow: `tunegate run export mlflow RUN`."""
