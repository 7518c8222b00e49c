//! Both listeners over real sockets, and the drain.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;

use super::bed::Bed;

/// No step of these tests takes longer, unless it hangs.
const DEADLINE: Duration = Duration::from_secs(30);

/// Asks once and reads to the end of the connection.
async fn ask(stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let mut stream = stream;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn both_listeners_serve_until_told_to_stop() {
    let Bed { folder: _folder, app, .. } = Bed::start().await;
    let (address, socket) = (app.address(), app.admin_socket());
    let store = app.store.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(app.serve(async {
        let _ = stopped.await;
    }));

    let answer = ask(TcpStream::connect(address).await.unwrap(), "/livez").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = ask(UnixStream::connect(&socket).await.unwrap(), "/api/v1/operator/status").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"head\":0"), "{answer}");
    let answer = ask(TcpStream::connect(address).await.unwrap(), "/api/v1/operator/status").await;
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");

    // A connection that only waits does not hold the end up.
    let idle = TcpStream::connect(address).await.unwrap();
    stop.send(()).unwrap();
    tokio::time::timeout(DEADLINE, serving).await.unwrap().unwrap();
    drop(idle);
    assert!(TcpStream::connect(address).await.is_err(), "nothing listens any more");
    assert!(!socket.exists());
    let closed = store.write(clavitor_core::change::Operation::default()).await;
    assert_eq!(closed.err(), Some(clavitor_core::change::WriteError::Closed));
}

/// Sends `said`, says no more, and reads until the node ends the connection.
async fn ended(stream: impl AsyncRead + AsyncWrite + Unpin, said: &str) -> String {
    let mut stream = stream;
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    // A connection that is cut may show as an error: what counts is that it ends.
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut heard)).await.expect("it ends by itself");
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_ended() {
    let Bed { folder: _folder, mut app, .. } = Bed::start().await;
    app.head_timeout = Duration::from_millis(20);
    let (address, socket) = (app.address(), app.admin_socket());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(app.serve(async {
        let _ = stopped.await;
    }));
    let http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for said in ["", "PRI", "GET /livez HTTP/1.1\r\nhost: local", http2] {
        let heard = ended(TcpStream::connect(address).await.unwrap(), said).await;
        assert!(!heard.contains(" 200 "), "{said:?}: {heard}");
        ended(UnixStream::connect(&socket).await.unwrap(), said).await;
    }
    let idle = "GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let heard = ended(TcpStream::connect(address).await.unwrap(), idle).await;
    assert!(heard.starts_with("HTTP/1.1 200"), "answered, then ended: {heard}");
    stop.send(()).unwrap();
    tokio::time::timeout(DEADLINE, serving).await.unwrap().unwrap();
}
