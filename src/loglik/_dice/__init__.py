"""The players' notation for dice, pools of dice, and the report of the command line."""
