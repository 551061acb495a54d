"""The figures that training and evaluation share, and what they are compared with."""
