//! `wasm-bindgen INPUT.wasm --out-dir FOLDER --target web [--typescript]`, and `wasm-bindgen --version`, which wasm-pack asks for.

use std::path::PathBuf;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

const USAGE: &str = "usage: wasm-bindgen INPUT.wasm --out-dir FOLDER --target web [--typescript]";

struct Call {
    input: PathBuf,
    out_dir: PathBuf,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--version") {
        println!("wasm-bindgen {}", wasm_bindgen_shared::version());
        return ExitCode::SUCCESS;
    }
    match parse(&arguments).and_then(|call| generate(&call)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("wasm-bindgen: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// An option that is not known is refused: leaving it out could give another package than was asked for.
fn parse(arguments: &[String]) -> Result<Call, String> {
    let (mut input, mut out_dir, mut target) = (None, None, None);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--out-dir" => out_dir = rest.next().map(PathBuf::from),
            "--target" => target = rest.next().map(String::as_str),
            "--typescript" => {}
            option if option.starts_with('-') => return Err(format!("the option {option} is not known. {USAGE}")),
            path if input.is_none() => input = Some(PathBuf::from(path)),
            other => return Err(format!("there is one input, and {other} is a second. {USAGE}")),
        }
    }
    match (input, out_dir, target) {
        (Some(input), Some(out_dir), Some("web")) => Ok(Call { input, out_dir }),
        _ => Err(USAGE.into()),
    }
}

fn generate(call: &Call) -> Result<(), String> {
    let run = || {
        // As the whole command does: `init()` without an address takes the .wasm file beside the script.
        Bindgen::new().input_path(&call.input).web(true)?.typescript(true).omit_default_module_path(false).generate(&call.out_dir)
    };
    run().map_err(|error| format!("{error:#}"))
}
