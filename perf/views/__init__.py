"""The read model: every question that the dashboard, the API and the command line ask is answered here, once."""
