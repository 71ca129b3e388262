"""The report of a recommendation pipeline: what each part is worth, where what is relevant is lost, and for whom."""
