"""mlsd turns one YAML file into a whole machine-learning system, and proves what it built."""

__version__ = "0.1.0"
