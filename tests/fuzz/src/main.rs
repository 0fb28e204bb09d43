//! The target of `targets.rs` that `FUZZ_TARGET` names, under libFuzzer. With `FUZZ_SEEDS` it only writes the inputs that fuzzing begins
//! from, a folder below that one for each target, and their names. `scripts/fuzz` builds and runs it.
#![no_main]

mod targets;

use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

static RUN: OnceLock<fn(&[u8])> = OnceLock::new();

fn write_seeds(folder: &Path) {
    for target in targets::TARGETS {
        let own = folder.join(target.name);
        std::fs::create_dir_all(&own).expect("a folder for seeds");
        for (index, seed) in (target.seeds)().iter().enumerate() {
            (target.run)(seed);
            std::fs::write(own.join(format!("seed-{index}")), seed).expect("a seed");
        }
        println!("{}", target.name);
    }
}

fuzz_target!(
    init: {
        if let Some(folder) = std::env::var_os("FUZZ_SEEDS") {
            write_seeds(Path::new(&folder));
            std::process::exit(0);
        }
        let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
        let target = targets::TARGETS.iter().find(|target| target.name == name).expect("there is no such target");
        let _ = RUN.set(target.run);
    },
    |data: &[u8]| {
        if let Some(run) = RUN.get() {
            run(data);
        }
    }
);
