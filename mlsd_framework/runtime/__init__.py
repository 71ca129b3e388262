"""What runs. Generated code imports this; it knows nothing of the compiler."""
