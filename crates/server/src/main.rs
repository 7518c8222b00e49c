//! The `clavitor` binary. Everything is in the library, so that tests run the same `main`.

fn main() -> std::process::ExitCode {
    clavitor_server::main()
}
