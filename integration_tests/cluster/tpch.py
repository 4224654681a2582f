"""The tables of upstream's test_basic and test_pin_sst (e2e_test/backup_restore/): eight of TPC-H
with a few rows each, a secret, and the materialized view tpch_q7 over six of them.

Prices are cents, discounts percent: whole numbers. Dates are text.
"""

from __future__ import annotations

TABLES = (
    "CREATE TABLE region (r_regionkey INTEGER, r_name VARCHAR, PRIMARY KEY (r_regionkey))",
    """CREATE TABLE nation (n_nationkey INTEGER, n_name VARCHAR, n_regionkey INTEGER,
    PRIMARY KEY (n_nationkey))""",
    """CREATE TABLE supplier (s_suppkey INTEGER, s_name VARCHAR, s_nationkey INTEGER,
    s_acctbal BIGINT, PRIMARY KEY (s_suppkey))""",
    """CREATE TABLE customer (c_custkey INTEGER, c_name VARCHAR, c_nationkey INTEGER,
    c_comment VARCHAR, PRIMARY KEY (c_custkey))""",
    """CREATE TABLE part (p_partkey INTEGER, p_name VARCHAR, p_size INTEGER,
    PRIMARY KEY (p_partkey))""",
    """CREATE TABLE partsupp (ps_partkey INTEGER, ps_suppkey INTEGER, ps_availqty INTEGER,
    PRIMARY KEY (ps_partkey, ps_suppkey))""",
    """CREATE TABLE orders (o_orderkey BIGINT, o_custkey INTEGER, o_orderdate VARCHAR,
    PRIMARY KEY (o_orderkey))""",
    """CREATE TABLE lineitem (l_orderkey BIGINT, l_linenumber INTEGER, l_partkey INTEGER,
    l_suppkey INTEGER, l_extendedprice BIGINT, l_discount INTEGER, l_shipdate VARCHAR,
    PRIMARY KEY (l_orderkey, l_linenumber))""",
)
NAMES = tuple(statement.split()[2] for statement in TABLES)
ROWS = (
    "INSERT INTO region VALUES (3, 'EUROPE'), (4, 'MIDDLE EAST')",
    "INSERT INTO nation VALUES (10, 'IRAN', 4), (19, 'ROMANIA', 3), (7, 'GERMANY', 3)",
    """INSERT INTO supplier VALUES (1, 'Supplier#000000001', 19, 575594),
    (2, 'Supplier#000000002', 10, -283841), (3, 'Supplier#000000003', 7, NULL)""",
    """INSERT INTO customer VALUES (1, 'Customer#000000001', 10, ''),
    (2, 'Customer#000000002', 19, 'naïve café'), (3, 'Customer#000000003', 7, NULL)""",
    "INSERT INTO part VALUES (155, 'goldenrod lavender', 7), (156, 'blush thistle blue', 1)",
    "INSERT INTO partsupp VALUES (155, 1, 3325), (155, 2, 8076), (156, 3, 3956)",
    """INSERT INTO orders VALUES (1, 1, '1993-01-02'), (5000000000, 2, '1996-12-01'),
    (3, 3, '1995-10-14')""",
    """INSERT INTO lineitem VALUES (1, 1, 155, 1, 2116823, 4, '1993-03-13'),
    (1, 2, 156, 1, 4598316, 9, '1993-04-12'), (5000000000, 1, 155, 2, 1339716, 10, '1996-01-28'),
    (5000000000, 2, 156, 3, 100, 0, '1996-02-28'), (3, 1, 156, 3, 5432100, 6, '1995-01-29')""",
)
SECRET = "CREATE SECRET secret1 WITH (backend = 'meta') AS 'demo-secret'"
VIEW = """CREATE MATERIALIZED VIEW tpch_q7 AS
SELECT n1.n_name AS supp_nation, n2.n_name AS cust_nation,
    CAST(substr(l_shipdate, 1, 4) AS INTEGER) AS l_year,
    sum(l_extendedprice * (100 - l_discount)) AS revenue
FROM supplier, lineitem, orders, customer, nation n1, nation n2
WHERE s_suppkey = l_suppkey AND o_orderkey = l_orderkey AND c_custkey = o_custkey
    AND s_nationkey = n1.n_nationkey AND c_nationkey = n2.n_nationkey
    AND ((n1.n_name = 'ROMANIA' AND n2.n_name = 'IRAN')
        OR (n1.n_name = 'IRAN' AND n2.n_name = 'ROMANIA'))
GROUP BY supp_nation, cust_nation, l_year"""
VIEW_ROWS = [
    ("IRAN", "ROMANIA", 1996, 1339716 * 90),
    ("ROMANIA", "IRAN", 1993, 2116823 * 96 + 4598316 * 91),
]

CREATE_MVS = ";\n".join((*TABLES, SECRET, *ROWS, "FLUSH", VIEW))
"""create_mvs."""
QUERY_MVS = "SELECT * FROM tpch_q7 ORDER BY supp_nation, cust_nation"
"""query_mvs, which has to give VIEW_ROWS."""
DROP_MVS = ";\n".join(
    (
        "DROP SECRET secret1",
        "DROP MATERIALIZED VIEW tpch_q7",
        *(f"DROP TABLE {name}" for name in NAMES),
    )
)
"""drop_mvs."""
