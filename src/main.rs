fn main() -> std::process::ExitCode {
    factscope::cli::main()
}
