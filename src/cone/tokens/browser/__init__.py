"""The pages of tickets: views and tiles, without a rule of their own."""
