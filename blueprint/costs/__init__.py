"""What a month costs: prices, the document's table, usage nobody has measured yet, and the arithmetic of all three."""
