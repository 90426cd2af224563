"""Loads, saves, describes and asks a base model and its adapter."""
