"""The SQL statements of the use cases: functions of a transaction, which return values."""
