//! What texts of statements are taken for.

use super::*;

fn write(sql: &str) -> Write {
    match statement(sql) {
        Statement::Write(write) => *write,
        other => panic!("{sql}: {other:?}"),
    }
}

#[test]
fn the_clauses_of_a_write_are_taken_as_written() {
    let found = write(
        "UPDATE Shop.\"Big Orders\" AS o SET a = (SELECT 1 WHERE true), b = o.b IS DISTINCT FROM 2 -- x\n\
         FROM customers c WHERE c.id = o.customer AND lower(o.note) = 'where' /* y */ ;",
    );
    assert_eq!(
        found.table,
        Name {
            schema: Some("shop".into()),
            table: "Big Orders".into()
        }
    );
    assert_eq!(
        (found.relation.as_str(), found.alias.as_str()),
        ("Shop.\"Big Orders\" AS o", "\"o\"")
    );
    assert_eq!(found.from.as_deref(), Some("customers c"));
    assert_eq!(
        found.filter.as_deref(),
        Some("c.id = o.customer AND lower(o.note) = 'where'")
    );
    assert_eq!(
        (found.assigned, found.functions),
        (vec!["a".into(), "b".into()], vec!["lower".into()])
    );
    assert!(!found.returning && found.body.ends_with("'where'"));
    let found = write("delete from t using u where t.id = u.id returning t.id");
    assert_eq!(
        (found.relation.as_str(), found.from.as_deref()),
        ("t", Some("u"))
    );
    assert!(found.returning);
    assert_eq!(found.filter.as_deref(), Some("t.id = u.id"));
}

#[test]
fn the_row_in_the_way_is_found_by_values_that_are_written_out() {
    let found = write(
        "INSERT INTO t (id, k, v) VALUES ($1, 'a', now()), (2, $2, 3) ON CONFLICT (k, id) DO UPDATE SET v = 1",
    );
    let condition = "(\"t\".\"k\", \"t\".\"id\") IN (('a', $1), ($2, 2))";
    assert_eq!(found.conflict, Conflict::Updated(Some(condition.into())));
    let found = write("INSERT INTO t (id) SELECT id FROM u ON CONFLICT (id) DO UPDATE SET v = 1");
    assert_eq!(found.conflict, Conflict::Updated(None));
    assert_eq!(
        write("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING").conflict,
        Conflict::Spared
    );
}

#[test]
fn what_cannot_be_seen_says_why() {
    for (sql, why) in [
        (
            "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
            "a query that writes tells no rows",
        ),
        ("TRUNCATE t, u", "TRUNCATE tells no rows"),
        ("COPY t FROM STDIN", "COPY tells no rows"),
        (
            "UPDATE t SET a = 1; UPDATE t SET a = 2",
            "several statements in one text",
        ),
        (
            "UPDATE t SET a = 'x\\' WHERE b = 1",
            "a backslash in a string, whose meaning depends on a setting",
        ),
        (
            "UPDATE t SET a = 1 WHERE CURRENT OF c",
            "the statement was not understood whole",
        ),
        ("CALL p()", "what a procedure changes is not told"),
        (
            "SELECT * INTO u FROM t",
            "a query that writes tells no rows",
        ),
    ] {
        match statement(sql) {
            Statement::Unseen { why: found, .. } => assert_eq!(found, why, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[test]
fn reads_name_their_functions_and_locks() {
    let found = statement("SELECT count(*), my_fn(a) FROM s.t, generate_series(1, 2) FOR UPDATE");
    let Statement::Read {
        functions,
        table,
        locks,
    } = found
    else {
        panic!("{found:?}");
    };
    assert!(
        locks
            && functions.contains(&"my_fn".to_owned())
            && functions.contains(&"generate_series".to_owned())
    );
    assert_eq!(
        table,
        Some(Name {
            schema: Some("s".into()),
            table: "t".into()
        })
    );
}
