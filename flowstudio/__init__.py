"""FlowStudio: design an integration flow once, see every payload, deploy it to many customers."""

__version__ = "0.1.0"
