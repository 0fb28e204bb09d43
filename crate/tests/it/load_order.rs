//! Loading reads the weights in the order of the file, each byte once: a page's store keeps chunks of 16 MiB, and going back
//! and forth between them would read each several times.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use web_mamba::cpu::CpuExecutor;
use web_mamba::error::Result;
use web_mamba::executor::Activations;
use web_mamba::gguf::Gguf;
use web_mamba::model::ModelFile;
use web_mamba::source::{ByteSource, FileSource};

/// A file that notes which ranges are read.
struct Watched {
    file: FileSource,
    reads: Rc<RefCell<Vec<(u64, usize)>>>,
}

impl ByteSource for Watched {
    fn name(&self) -> &str {
        self.file.name()
    }

    fn len(&self) -> u64 {
        self.file.len()
    }

    fn read(&self, offset: u64, length: usize) -> LocalBoxFuture<'_, Result<Vec<u8>>> {
        self.reads.borrow_mut().push((offset, length));
        self.file.read(offset, length)
    }
}

#[test]
fn weights_are_read_in_the_order_of_the_file_and_once() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/models");
    for name in ["falcon-tiny-Q4_K_M.gguf", "mamba-tiny-Q4_K_M.gguf"] {
        let reads = Rc::new(RefCell::new(Vec::new()));
        let file = Watched { file: FileSource::open(&models.join(name)).unwrap(), reads: Rc::clone(&reads) };
        let file =
            ModelFile::of(pollster::block_on(Gguf::open(vec![Rc::new(file) as Rc<dyn ByteSource>])).unwrap()).unwrap();
        for activations in [Activations::F32, Activations::Q8] {
            reads.borrow_mut().clear();
            pollster::block_on(CpuExecutor::load(&file, activations, &mut |_| {})).unwrap();
            let reads = reads.borrow();
            assert!(reads.len() > 10, "{name}: {} reads", reads.len());
            for pair in reads.windows(2) {
                let [(before, length), (after, _)] = pair else { unreachable!("windows of two") };
                assert!(*after >= before + *length as u64, "{name}: {after} is read after {before}");
            }
        }
    }
}
