//! Loading reads the weights in the order of the file, each byte once: a page's store keeps chunks of 16 MiB, and going back
//! and forth between them would read each several times.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use web_mamba::cpu::CpuExecutor;
use web_mamba::error::Result;
use web_mamba::executor::Activations;
use web_mamba::fingerprint::ModelHash;
use web_mamba::gguf::Gguf;
use web_mamba::model::ModelFile;
use web_mamba::source::{ByteSource, FileSource};
use web_mamba::{BackendChoice, LoadOptions, Model};

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

/// Beside the header nothing is read twice, not even the samples of a model's hash, and nothing out of order: a model that is still being
/// downloaded is read up to where it has come.
#[test]
fn a_load_reads_forwards_only() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/models");
    let reads = Rc::new(RefCell::new(Vec::new()));
    let file = FileSource::open(&models.join("falcon-tiny-Q4_K_M.gguf")).unwrap();
    let source = Watched { file, reads: Rc::clone(&reads) };
    let options = LoadOptions { backend: BackendChoice::Cpu, ..LoadOptions::default() };
    let sources = vec![Rc::new(source) as Rc<dyn ByteSource>];
    let model = pollster::block_on(Model::load(sources, &options, &mut |_, _| {})).unwrap();
    let reads = reads.borrow();
    let mut tensors = reads.iter().skip_while(|(offset, _)| *offset == 0);
    let mut end = 0;
    assert!(tensors.all(|(offset, length)| {
        let forwards = *offset >= end;
        end = offset + *length as u64;
        forwards
    }));
    let plain = Gguf::open(vec![Rc::new(FileSource::open(&models.join("falcon-tiny-Q4_K_M.gguf")).unwrap())]);
    assert_eq!(pollster::block_on(ModelHash::of(&pollster::block_on(plain).unwrap())).unwrap(), model.hash());
}
