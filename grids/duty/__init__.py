"""Who answers for what where: the responsibility list and what is wrong with it."""
