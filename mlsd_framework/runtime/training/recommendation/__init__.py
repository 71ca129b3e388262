"""What a recommendation pipeline is worth: every stage, source and baseline on the same requests, and its report."""
