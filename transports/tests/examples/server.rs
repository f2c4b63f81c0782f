//! The example serves, does its other thing, and ends when it shall.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

#[test]
fn it_serves_and_counts_and_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (end, ends) = smol::channel::bounded::<()>(1);
    let (tell, told) = std::sync::mpsc::channel();
    let run = super::run(listener, "K7QM-2XD4".parse().unwrap(), async move { ends.recv().await }, move |n| {
        tell.send(n).unwrap();
    });
    let running = thread::spawn(|| smol::block_on(run));
    let mut line = BufReader::new(TcpStream::connect(addr).unwrap());
    line.get_ref().write_all(b"{\"t\":\"hello\",\"v\":[1]}\n{\"t\":\"join\",\"code\":\"K7QM-2XD4\"}\n").unwrap();
    let mut read = String::new();
    while !read.contains(r#""t":"joined""#) {
        assert_ne!(line.read_line(&mut read).unwrap(), 0, "{read}");
    }
    assert!(told.iter().any(|n| n == 1));
    end.send_blocking(()).unwrap();
    while line.read_line(&mut read).unwrap() > 0 {}
    assert!(read.contains(r#""code":"shutdown""#), "{read}");
    drop(line);
    running.join().unwrap().unwrap();
}
