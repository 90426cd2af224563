"""What one pytest session knows and the models and judges it has opened."""
