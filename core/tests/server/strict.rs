//! What json lines are refused, and how.

use qun_core::ConnId;
use qun_core::server::Reason;
use serde_json::{Value, json};

use crate::world::{OPS, World};

fn client() -> (World, ConnId) {
    let mut world = World::unpaced();
    let conn = world.member("ann", OPS);
    (world, conn)
}

/// Sends a line as it is, and demands this error; the connection goes on.
fn refused(line: impl AsRef<[u8]>, code: &str) -> Value {
    let (mut world, conn) = client();
    world.send(conn, [line.as_ref(), b"\n"].concat());
    let error = world.only(conn);
    let line = String::from_utf8_lossy(line.as_ref()).into_owned();
    assert_eq!((&error["t"], &error["code"]), (&json!("error"), &json!(code)), "{line}: {error}");
    assert!(error["text"].as_str().is_some_and(|text| !text.is_empty()), "{line}");
    assert_eq!(world.call(conn, json!({"t": "ping", "n": 1})), json!({"t": "pong", "n": 1}), "{line}");
    error
}

fn accepted(line: impl AsRef<[u8]>) -> Value {
    let (mut world, conn) = client();
    world.send(conn, [line.as_ref(), b"\n"].concat());
    world.only(conn)
}

#[test]
fn what_is_no_object_is_a_bad_frame() {
    for line in
        ["[]", r#"["ping",4]"#, "4", "null", "\"ping\"", "hello", "", " {\"t\":\"ping\"}", "{", "{}}", "{\"t\":}"]
    {
        refused(line, "bad_frame");
    }
    refused(b"{\"t\":\"ping\",\"x\":\"\xFF\"}", "bad_frame");
    refused("{\"t\":\"ping\"} {\"t\":\"ping\"}", "bad_frame");
    refused("{\"t\":\"ping\",\"x\":\"a\u{0}b\"}", "bad_frame");
}

#[test]
fn an_array_is_no_second_way_to_write_an_object() {
    refused(r#"["say","s1","ops","hi"]"#, "bad_frame");
    refused(format!(r#"{{"t":"join","id":"x","code":"{OPS}","resume":["e9f2",1]}}"#), "bad_field");
}

#[test]
fn duplicate_keys_are_refused_wherever_they_are() {
    refused(r#"{"t":"ping","n":1,"n":2}"#, "bad_frame");
    refused(r#"{"t":"ping","t":"ping"}"#, "bad_frame");
    refused(r#"{"t":"ping","n":1,"\u006e":2}"#, "bad_frame");
    refused(r#"{"t":"ping","x":{"a":[{"b":1,"b":1}]}}"#, "bad_frame");
    let many = |last: &str| format!(r#"{{"t":"ping","n":1,"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"{last}":0}}"#);
    assert_eq!(accepted(many("h")), json!({"t": "pong", "n": 1}));
    for twin in ["a", "d", "g"] {
        refused(many(twin), "bad_frame");
    }
}

#[test]
fn nesting_is_at_most_16_deep() {
    let nested =
        |depth: usize| format!(r#"{{"t":"ping","n":5,"x":{}1{}}}"#, "[".repeat(depth - 1), "]".repeat(depth - 1));
    assert_eq!(accepted(nested(16))["t"], "pong");
    refused(nested(17), "bad_frame");
    refused(nested(5_000), "bad_frame");
}

#[test]
fn integers_are_at_most_2_to_the_53_minus_1() {
    assert_eq!(accepted(r#"{"t":"ping","n":9007199254740991}"#)["n"], 9_007_199_254_740_991u64);
    for n in ["9007199254740992", "-1", "1.5", "1.0", "1e3", "\"1\"", "true", "[]", "18446744073709551616"] {
        refused(format!(r#"{{"t":"ping","n":{n}}}"#), "bad_field");
    }
}

#[test]
fn versions_are_an_array_of_integers() {
    for v in ["", r#","v":1"#, r#","v":["1"]"#, r#","v":null"#] {
        let error = refused(format!(r#"{{"t":"hello","id":"h1"{v}}}"#), "bad_field");
        assert_eq!(error["re"], "h1");
    }
}

#[test]
fn null_means_absent_and_unknown_fields_are_ignored() {
    assert_eq!(accepted(r#"{"x":{"y":[1,2.5,null,true]},"n":null,"t":"ping"}"#), json!({"t": "pong", "n": 0}));
    assert_eq!(accepted("{\"t\":\"ping\",\"n\":3}\r"), json!({"t": "pong", "n": 3}));
    refused(r#"{"t":"say","id":"s1","room":"ops","text":null}"#, "bad_field");
}

#[test]
fn an_unknown_type_is_answered() {
    let error = refused(r#"{"t":"dance","id":"d1"}"#, "unknown_type");
    assert_eq!((&error["re"], &error["retry"]), (&json!("d1"), &json!("no")));
    refused(r#"{"id":"d1"}"#, "bad_field");
    refused(r#"{"t":4}"#, "bad_field");
    refused(r#"{"t":"Ping"}"#, "unknown_type");
}

#[test]
fn an_error_names_its_request_wherever_it_could_be_read() {
    for (line, code) in [
        (r#"{"id":"x1","t":"say","room":"ops"}"#, "bad_field"),
        (r#"{"t":"say","room":"OPS","text":"hi","id":"x1"}"#, "bad_field"),
        (r#"{"t":"say","room":"ops","text":7,"id":"x1"}"#, "bad_field"),
        (r#"{"t":"join","id":"x1"}"#, "bad_field"),
        (r#"{"t":"name","id":"x1","name":"a b"}"#, "bad_name"),
        (r#"{"t":"leave","id":"x1","room":""}"#, "bad_field"),
    ] {
        assert_eq!(refused(line, code)["re"], "x1", "{line}");
    }
}

#[test]
fn an_id_is_1_to_36_of_its_alphabet() {
    let ping = |id: &str| json!({"t": "history", "id": id, "room": "ops", "before": 1}).to_string();
    for id in ["a".repeat(36), "A-z_09".into()] {
        assert_eq!(accepted(ping(&id))["re"], json!(id));
    }
    for id in ["".into(), "a".repeat(37), "a b".into(), "é".into(), "a\n".into()] {
        assert_eq!(refused(ping(&id), "bad_field").get("re"), None);
    }
    refused(r#"{"t":"ping","id":7}"#, "bad_field");
}

#[test]
fn a_key_is_22_of_its_alphabet() {
    for key in ["short", "q8ZtV1c0TgW2q8ZtV1c0Tg=", "q8ZtV1c0TgW2q8ZtV1c0T+"] {
        let mut world = World::new();
        let conn = world.connect();
        let error = world.call(conn, json!({"t": "hello", "id": "h0", "v": [1], "key": key}));
        assert_eq!((&error["code"], &error["re"]), (&json!("bad_field"), &json!("h0")));
        assert!(!error["text"].as_str().unwrap().contains(key), "a key is never repeated");
        world.hello(conn, "ann", None);
    }
}

#[test]
fn a_line_is_at_most_16384_bytes() {
    let line = |length: usize| {
        let padding = length - r#"{"t":"ping","n":5,"x":""}"#.len() - 1;
        format!("{{\"t\":\"ping\",\"n\":5,\"x\":\"{}\"}}\n", "x".repeat(padding))
    };
    let (mut world, conn) = client();
    world.send(conn, line(16_384));
    assert_eq!(world.only(conn), json!({"t": "pong", "n": 5}));
    world.send(conn, line(16_385));
    let bye = world.only(conn);
    assert_eq!((&bye["t"], &bye["code"], &bye["retry"]), (&json!("bye"), &json!("too_big"), &json!("no")));
    assert_eq!(world.closed(conn), Some(Reason::TooBig));

    let (mut world, conn) = client();
    world.send(conn, "{".repeat(16_385));
    assert_eq!(world.only(conn)["code"], "too_big", "a line that never ends");
}

#[test]
fn what_is_refused_is_never_shown_to_others() {
    let (mut world, conn) = client();
    let bob = world.member("bob", OPS);
    for line in [
        r#"{"t":"say","room":"ops","text":"a\u0000b"}"#,
        r#"{"t":"say","room":"ops","text":"\u001b[2J"}"#,
        r#"{"t":"say","room":"ops","text":"\ud800"}"#,
        r#"{"t":"say","room":"ops","text":"x","text":"y"}"#,
    ] {
        world.send(conn, format!("{line}\n"));
    }
    world.quiet(bob);
    assert_eq!(world.lines(conn).iter().filter(|line| line["t"] == "error").count(), 4);
}
