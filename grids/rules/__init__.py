"""Rules as plain functions on plain values: no database, no HTTP, no clock of their own."""
