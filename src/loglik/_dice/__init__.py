"""The players' notation for dice, pools of dice, and pieces of their tables; all in plain data."""
