"""Spend models: how much a purchase brings; a file each, as the papers have them."""
