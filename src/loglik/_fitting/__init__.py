"""Statistics of data that merge, and how families are fitted from them."""
