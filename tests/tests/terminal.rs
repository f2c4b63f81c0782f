//! The line client on a terminal: what a person sees.

use qun_tests::{Json, OPS, Screen, Server};

#[test]
fn a_person_talks_and_is_not_disturbed() {
    let server = Server::start("");
    let addr = server.addr.to_string();
    let mut bob = Json::join(&server, "bob", OPS);
    for columns in [80, 40] {
        let home = tempfile::tempdir().unwrap();
        let mut ann = Screen::start(home.path(), columns, &["join", OPS, "--server", &addr, "--name", "ann"]);
        ann.expect("On-call>");
        ann.line("你好");
        bob.hears("你好");
        ann.expect("<ann> 你好");
        ann.keys("half a li");
        ann.expect("On-call> half a li");
        bob.say("ops", &format!("b{columns}"), &format!("to {columns}"));
        ann.expect(&format!("<bob> to {columns}"));
        let screen = ann.expect("On-call> half a li");
        let [.., above, below] = &screen.trim_end().lines().collect::<Vec<_>>()[..] else { panic!("{screen}") };
        assert!(above.ends_with(&format!("<bob> to {columns}")) && *below == "On-call> half a li", "{screen}");
        ann.line("ne");
        bob.hears("half a line");
        ann.line("/quit");
        assert_eq!(ann.wait(), 0);
    }
}

#[test]
fn a_wrong_code_is_asked_for_again() {
    let server = Server::start("");
    let (home, addr) = (tempfile::tempdir().unwrap(), server.addr.to_string());
    let mut ann = Screen::start(home.path(), 80, &["join", "WRONG-CODE", "--server", &addr]);
    ann.expect("That code does not open a room.");
    ann.line(OPS);
    ann.expect("On-call>");
    ann.keys("\x03");
    assert_eq!(ann.wait(), 130);
}

#[test]
fn a_lost_server_is_waited_for() {
    let mut server = Server::start("");
    let (home, addr) = (tempfile::tempdir().unwrap(), server.addr.to_string());
    let mut ann = Screen::start(home.path(), 80, &["join", OPS, "--server", &addr, "--name", "ann"]);
    ann.expect("On-call>");
    ann.line("before");
    ann.expect("<ann> before");
    server.kill();
    ann.expect("reconnecting in");
    ann.line("after");
    let _server = server.restart();
    ann.expect("The history restarted");
    ann.expect("<ann> after");
}
