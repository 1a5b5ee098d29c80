"""Every command and flag of notation, on both programs from the same state (`steps.STEPS`)."""
