"""From a company's tables to its transactions and events: read, judge each row and count it, join on one customer."""
