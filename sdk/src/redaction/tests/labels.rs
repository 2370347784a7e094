//! What is removed because of its label, from JSON, rows, forms and parameters.

use super::*;

#[test]
fn labelled_fields_are_removed_from_the_contents_of_their_resource_only() {
    let policy = Policy::new()
        .key(KEY)
        .label(
            "http:crm.example.test/accounts/*",
            "/owner/name",
            Label::Sensitive,
        )
        .unwrap()
        .label("http:crm.example.test/**", "/**/pin", Label::Secret)
        .unwrap();
    let recorder = Recorder::testing_with(policy.clone());
    let session = recorder.session("1").start_blocking();
    let body = r#"{ "owner":{"name":"Ann","since":12345678901234567890}, "cards":[{"pin":"0000"},{"pin":17}], "x":1.0 }"#;
    for target in [
        "http:crm.example.test/accounts/17",
        "http:other.example.test/accounts/17",
    ] {
        let action = session
            .action(Kind::Http, "put", Access::Write)
            .target(target)
            .input(Content::from_bytes(body.as_bytes(), "application/json"))
            .begin_blocking()
            .unwrap();
        action.output(Content::from_bytes(body.as_bytes(), "application/json"));
        action.end_success();
    }
    let recorded = Recorded::of(&recorder);
    let actions = recorded.actions();
    let input = |at: usize| actions[at].begin.attributes[attribute::INPUT].clone();
    let name = policy.digest_of("Ann").unwrap();
    let expected = format!(
        r#"{{ "owner":{{"name":"[hmac:sensitive:{name}]","since":12345678901234567890}}, "cards":[{{"pin":"[removed:secret]"}},{{"pin":"[removed:secret]"}}], "x":1.0 }}"#
    );
    assert_eq!(input(0)["inline"], json!(expected));
    assert_eq!(
        input(0)["redactions"][1],
        json!({"path": "/cards/0/pin", "rule": "secret", "len": 6})
    );
    let output = &actions[0].end.as_ref().unwrap().attributes[attribute::OUTPUT];
    assert_eq!(
        output["inline"],
        json!(expected),
        "the end does not name its target"
    );
    assert_eq!(input(1)["inline"], json!(body), "no label is about it");
}

#[test]
fn unlabelled_fields_of_a_closed_resource_are_digests() {
    let policy = Policy::new()
        .closed("http:h/**")
        .unwrap()
        .label("http:h/**", "/stage", Label::Public)
        .unwrap();
    let recorder = Recorder::testing_with(policy);
    let session = recorder.session("1").start_blocking();
    let diff = |content: Content| {
        let action = session.tool("t").begin_blocking().unwrap();
        action.diff(Diff::of("http:h/17").after(content));
        action.end_success();
        let recorded = Recorded::of(&recorder);
        let diff = recorded
            .of_event(crate::Event::Diff)
            .last()
            .unwrap()
            .attributes
            .clone();
        diff[attribute::AFTER]["inline"].clone()
    };
    let json = Content::from_bytes(br#"{"stage":"open","ssn":"x","n":[1]}"#, "application/json");
    assert_eq!(
        diff(json),
        json!(r#"{"stage":"open","ssn":"[removed:sensitive]","n":["[removed:sensitive]"]}"#)
    );
    assert_eq!(
        diff(Content::text("no json at all")),
        json!("[removed:sensitive]")
    );
}

#[test]
fn a_labelled_cell_leaves_a_row_a_row() {
    let policy = Policy::new()
        .label("db:**", "/cells/salary", Label::Secret)
        .unwrap()
        .closed("db:hr/hidden/**")
        .unwrap();
    let recorder = Recorder::testing_with(policy);
    let session = recorder.session("1").start_blocking();
    for resource in ["db:hr/people/1", "db:hr/hidden/1"] {
        let cells = vec![
            ("id".to_owned(), Cell::Int("1".to_owned())),
            ("salary".to_owned(), Cell::Decimal("1200.50".to_owned())),
        ];
        let row = Row::new("hr.people", &["id"], cells).to_content();
        let action = session.tool("t").begin_blocking().unwrap();
        action.diff(Diff::of(resource).after(row));
        action.end_success();
    }
    let recorded = Recorded::of(&recorder);
    let rows: Vec<Row> = recorded
        .of_event(crate::Event::Diff)
        .iter()
        .map(|diff| {
            Row::parse(
                diff.attributes[attribute::AFTER]["inline"]
                    .as_str()
                    .unwrap(),
            )
            .unwrap()
        })
        .collect();
    let cell = |at: usize, name: &str| {
        let json: Json = serde_json::from_str(&rows[at].to_json()).unwrap();
        json["cells"][name].clone()
    };
    assert_eq!(cell(0, "salary"), json!({"text": "[removed:secret]"}));
    assert_eq!(cell(0, "id"), json!({"int": "1"}));
    assert_eq!(cell(1, "id"), json!({"text": "[removed:sensitive]"}));
}

#[test]
fn labelled_fields_of_a_form_are_removed_as_those_of_json() {
    let policy = Policy::new()
        .key(KEY)
        .label("http:crm.example.test/**", "/owner/name", Label::Sensitive)
        .unwrap()
        .label("http:crm.example.test/**", "/pin", Label::Secret)
        .unwrap()
        .closed("http:crm.example.test/hidden/**")
        .unwrap()
        .label("http:crm.example.test/hidden/**", "/stage", Label::Public)
        .unwrap();
    let recorder = Recorder::testing_with(policy.clone());
    let session = recorder.session("1").start_blocking();
    let form = "owner%5Bname%5D=Ann+Lee&pin=0000&stage=open&note=a%26b&password=hunter2hunter2";
    let type_ = "application/x-www-form-urlencoded; charset=utf-8";
    for target in [
        "http:crm.example.test/accounts/17",
        "http:crm.example.test/hidden/17",
        "http:other.example.test/17",
    ] {
        let builder = session
            .action(Kind::Http, "post", Access::Write)
            .target(target);
        let input = Content::redacted(form.as_bytes(), type_);
        builder.input(input).begin_blocking().unwrap().end_success();
    }
    let inputs: Vec<Json> = Recorded::of(&recorder)
        .actions()
        .iter()
        .map(|action| action.begin.attributes[attribute::INPUT].clone())
        .collect();
    let digest = |text: &str| format!("[hmac:sensitive:{}]", policy.digest_of(text).unwrap());
    let password = "password=[removed:url_query_value]";
    assert_eq!(
        inputs[0]["inline"],
        json!(format!(
            "owner%5Bname%5D={}&pin=[removed:secret]&stage=open&note=a%26b&{password}",
            digest("Ann Lee")
        ))
    );
    let paths = format!("{:?}", inputs[0]["redactions"]);
    assert!(
        paths.contains("/owner/name") && paths.contains("/pin"),
        "{paths}"
    );
    assert_eq!(
        inputs[1]["inline"],
        json!(format!(
            "owner%5Bname%5D={}&pin=[removed:secret]&stage=open&note={}&{password}",
            digest("Ann Lee"),
            digest("a&b")
        ))
    );
    assert_eq!(
        inputs[2]["inline"],
        json!(form.replace("hunter2hunter2", "[removed:url_query_value]"))
    );
}

#[cfg(feature = "sqlite")]
#[test]
fn a_label_of_a_column_is_one_of_its_parameters_too() {
    let policy = Policy::new()
        .label("db:*/main.people/*", "/cells/salary", Label::Secret)
        .unwrap();
    let recorder = Recorder::testing_with(policy);
    let session = recorder.session("1").start_blocking();
    let conn = rusqlite::Connection::open_in_memory().unwrap();
    conn.execute_batch("CREATE TABLE people (id INTEGER PRIMARY KEY, salary INTEGER);")
        .unwrap();
    let db = session.sqlite(conn);
    db.execute("INSERT INTO people VALUES (?, ?)", [17, 123_450])
        .unwrap();
    db.execute("UPDATE people SET salary = ?2 WHERE id = ?1", [17, 123_451])
        .unwrap();
    for action in Recorded::of(&recorder).actions() {
        let input = action.begin.text(attribute::INPUT).unwrap();
        let input: Json = serde_json::from_str(input).unwrap();
        assert_eq!(
            input["parameters"],
            json!({"?1": {"int": "17"}, "?2": {"text": "[removed:secret]"}})
        );
    }
    for record in Recorded::of(&recorder).records() {
        assert!(!format!("{:?}", record.attributes).contains("12345"));
    }
}
