"""A year of the distillery as plain files: site model, readings, activities, and the plant's own account of it."""
