-- A series is one device in one measurement family; its rows lie in the table of its shape, s_<n>.
-- The data tables are made by the store as shapes appear; shape_column says what each of their columns holds.
CREATE TABLE series (
    series_id  INTEGER PRIMARY KEY,
    family     TEXT NOT NULL,
    site       TEXT NOT NULL,
    node       TEXT NOT NULL,
    device     TEXT NOT NULL,  -- '' = the node itself
    table_name TEXT NOT NULL,
    UNIQUE (family, site, node, device)
);
-- type: INTEGER, REAL, BOOLEAN, TEXT for values; QUALITY for the quality code beside the metric, NULL = good.
CREATE TABLE shape_column (
    table_name  TEXT NOT NULL,
    column_name TEXT NOT NULL,
    metric      TEXT NOT NULL,
    type        TEXT NOT NULL,
    PRIMARY KEY (table_name, column_name)
);
CREATE INDEX series_by_table ON series (table_name);
