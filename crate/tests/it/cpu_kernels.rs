//! The fast CPU kernels: every instruction set that this machine has against the portable definition, bit for bit, and the
//! portable one against the reference kernels, within what 8-bit activations allow.

use half::f16;
use web_mamba::cpu::kernels::{self, Columns, ScanInputs};
use web_mamba::cpu::simd::Isa;
use web_mamba::cpu::vectorised::ColumnsMut;
use web_mamba::cpu::vectorised::conv::Conv1dSilu;
use web_mamba::cpu::vectorised::matmul::{Input, MatMul, matmul};
use web_mamba::cpu::vectorised::norm::RmsNorm;
use web_mamba::cpu::vectorised::scan::SelectiveScan;
use web_mamba::cpu::{Matrix, Quantised, Tiles, lanes};
use web_mamba::quant::{DType, RandomRows, SplitMix64};

/// Rows below, at and above a tile; columns of one block and of more than one. An interpreter takes few of each.
const ROWS: &[usize] = if cfg!(miri) { &[17] } else { &[1, 15, 16, 17, 50] };
const BLOCKS: &[usize] = if cfg!(miri) { &[1] } else { &[1, 3] };
const TOKENS: &[usize] = if cfg!(miri) { &[1, 3, 5] } else { &[1, 2, 3, 4, 5, 32] };

fn floats(random: &mut SplitMix64, count: usize, low: f32, high: f32) -> Vec<f32> {
    (0..count).map(|_| random.between(low, high)).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn weights(random: &mut SplitMix64, dtype: DType, rows: usize, columns: usize) -> Vec<u8> {
    let mut bytes = vec![0; rows * dtype.row_bytes(columns).unwrap()];
    RandomRows::new(dtype, 1.0).fill(random, &mut bytes);
    bytes
}

/// Types without blocks have odd columns too.
fn columns_of(dtype: DType, blocks: usize) -> usize {
    if dtype.block_len() == 1 { 37 * blocks } else { blocks * dtype.block_len() }
}

fn every_matrix(mut check: impl FnMut(&mut SplitMix64, DType, usize, usize, &[u8])) {
    let mut random = SplitMix64::new(1);
    for dtype in DType::all() {
        for (&rows, &blocks) in ROWS.iter().flat_map(|rows| BLOCKS.iter().map(move |blocks| (rows, blocks))) {
            let columns = columns_of(dtype, blocks);
            let bytes = weights(&mut random, dtype, rows, columns);
            check(&mut random, dtype, rows, columns, &bytes);
        }
    }
}

/// A script that selects a machine, such as scripts/test-aarch64, names its instruction sets, so that none is left untested unnoticed.
#[test]
fn the_fastest_instructions_are_the_expected_ones() {
    if let Some(expected) = std::env::var_os("WEB_MAMBA_EXPECTED_ISA") {
        assert_eq!(Isa::best().name(), expected);
    }
    assert_eq!(cfg!(target_arch = "aarch64"), Isa::available().iter().any(|isa| isa.name() == "NEON"));
}

#[test]
fn packed_rows_decode_as_the_file_does() {
    every_matrix(|_, dtype, rows, columns, bytes| {
        let (matrix, tiles) =
            (Matrix::new(dtype, rows, columns, bytes.to_vec()), Tiles::new(dtype, rows, columns, bytes));
        for isa in Isa::available() {
            for row in 0..rows {
                let (mut expected, mut found) = (vec![0.0; columns], vec![1.0; columns]);
                matrix.decode_row(row, &mut expected);
                tiles.decode_row(isa, row, &mut found);
                assert_eq!(bits(&found), bits(&expected), "{dtype}, row {row} of {rows}, {columns} columns, {isa:?}");
            }
        }
    });
}

/// Subnormals too, which instruction sets without a conversion of their own put together.
#[test]
fn every_half_decodes_exactly() {
    let step = if cfg!(miri) { 500 } else { 1 };
    let halves: Vec<u16> = (0..=u16::MAX).step_by(step).filter(|&bits| f16::from_bits(bits).is_finite()).collect();
    let bytes: Vec<u8> = halves.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let tiles = Tiles::new(DType::F16, 2, halves.len() / 2, &bytes);
    for isa in Isa::available() {
        for (row, halves) in halves.chunks_exact(halves.len() / 2).enumerate() {
            let mut found = vec![1.0; halves.len()];
            tiles.decode_row(isa, row, &mut found);
            let expected: Vec<f32> = halves.iter().map(|&bits| f16::from_bits(bits).to_f32()).collect();
            assert_eq!(bits(&found), bits(&expected), "{isa:?}");
        }
    }
}

struct Product<'a> {
    tiles: &'a Tiles,
    x: Columns<'a>,
    tokens: usize,
    accumulate: bool,
    /// The number of ranges of tiles to compute in.
    parts: usize,
}

impl Product<'_> {
    fn run(&self, isa: Isa) -> Vec<f32> {
        let rows = self.tiles.rows();
        let mut out = vec![0.25; self.tokens * rows];
        let mut quantised = Quantised::default();
        let x = if self.tiles.dtype().block_len() == 1 {
            Input::Floats(self.x)
        } else {
            quantised.set(isa, self.x, self.tokens);
            Input::Quantised(&quantised)
        };
        let (tokens, accumulate, w) = (self.tokens, self.accumulate, self.tiles);
        for out in ColumnsMut::new(&mut out, rows).split_in_tiles(self.parts) {
            matmul(isa, MatMul { w, x, tokens, accumulate, out });
        }
        out
    }
}

#[test]
fn products_agree_bit_for_bit_and_with_the_reference() {
    every_matrix(|random, dtype, rows, columns, bytes| {
        let tiles = Tiles::new(dtype, rows, columns, bytes);
        let matrix = Matrix::new(dtype, rows, columns, bytes.to_vec());
        for (i, &tokens) in TOKENS.iter().enumerate() {
            // A row is longer than what is multiplied; sizes differ widely between units.
            let stride = columns + 3;
            let mut data = floats(random, tokens * stride, -1.0, 1.0);
            data.chunks_mut(48)
                .enumerate()
                .for_each(|(i, c)| c.iter_mut().for_each(|v| *v *= [1e-3, 30.0, 1.0][i % 3]));
            let x = Columns { data: &data, stride, start: 3, width: columns };
            let product = Product { tiles: &tiles, x, tokens, accumulate: i % 2 == 0, parts: 1 + i };
            let name = format!("{dtype}, {rows} rows, {columns} columns, {tokens} tokens");

            let portable = product.run(Isa::Portable);
            for isa in Isa::available() {
                assert_eq!(bits(&product.run(isa)), bits(&portable), "{name}, {isa:?}");
            }
            let mut reference = vec![0.25; tokens * rows];
            kernels::matmul(&matrix, x, tokens, product.accumulate, &mut Vec::new(), &mut reference);
            within_rounding(&name, &matrix, &product, &portable, &reference);
        }
    });
}

/// Rounding an activation moves it by half a quant at most, so a product by that much of each weight; the rest is f32's.
fn within_rounding(name: &str, matrix: &Matrix, product: &Product<'_>, found: &[f32], reference: &[f32]) {
    let rows = matrix.rows();
    let mut worst_excess = 0.0f32;
    for row in 0..rows {
        let mut w = vec![0.0; matrix.columns()];
        matrix.decode_row(row, &mut w);
        for token in 0..product.tokens {
            let x = product.x.row(token);
            let size: f32 = w.iter().zip(x).map(|(w, x)| (w * x).abs()).sum();
            let half_quants: f32 = match matrix.columns() % 32 {
                0 if product.tiles.dtype().block_len() > 1 => w.chunks(32).zip(x.chunks(32)).map(half_quant).sum(),
                _ => 0.0,
            };
            // A minimum and what it is taken from may be far larger than their difference.
            let bound = 1.001 * half_quants + 2e-5 * (size + half_quants * 254.0) + 1e-6;
            let at = token * rows + row;
            worst_excess = worst_excess.max((found[at] - reference[at]).abs() / bound);
        }
    }
    assert!(worst_excess <= 1.0, "{name}: {worst_excess} times what rounding explains");
}

fn half_quant((w, x): (&[f32], &[f32])) -> f32 {
    let max = x.iter().fold(0.0f32, |max, x| max.max(x.abs()));
    w.iter().map(|w| w.abs()).sum::<f32>() * max / 254.0
}

/// Quants of the largest size everywhere: where a sum of 16 bits could overflow.
#[test]
fn extreme_quants_agree() {
    for dtype in DType::all().filter(|dtype| dtype.block_len() > 1) {
        for (byte, sign) in [(0xff, 1.0), (0xff, -1.0), (0x80, 1.0), (0x7f, -1.0), (0x00, 1.0)] {
            let (rows, columns) = (16, 2 * dtype.block_len());
            let mut bytes = vec![byte; rows * dtype.row_bytes(columns).unwrap()];
            // Scales of 1 and minimums of 0.5, wherever the type has them; other fields keep the extreme.
            let at: &[(usize, u16)] = match dtype {
                DType::Q2_K => &[(80, 0x3c00), (82, 0x3800)],
                DType::Q3_K => &[(108, 0x3c00)],
                DType::Q6_K => &[(208, 0x3c00)],
                DType::Q4_1 | DType::Q5_1 | DType::Q4_K | DType::Q5_K => &[(0, 0x3c00), (2, 0x3800)],
                _ => &[(0, 0x3c00)],
            };
            for block in bytes.chunks_exact_mut(dtype.block_bytes()) {
                at.iter().for_each(|&(at, half)| block[at..][..2].copy_from_slice(&half.to_le_bytes()));
            }
            let tiles = Tiles::new(dtype, rows, columns, &bytes);
            let data = vec![sign; 2 * columns];
            let x = Columns { data: &data, stride: columns, start: 0, width: columns };
            let product = Product { tiles: &tiles, x, tokens: 2, accumulate: false, parts: 1 };
            let portable = product.run(Isa::Portable);
            for isa in Isa::available() {
                assert_eq!(bits(&product.run(isa)), bits(&portable), "{dtype}, bytes {byte:02x}, {isa:?}");
            }
            let matrix = Matrix::new(dtype, rows, columns, bytes);
            let mut reference = vec![0.0; 2 * rows];
            kernels::matmul(&matrix, x, 2, false, &mut Vec::new(), &mut reference);
            // Every activation is a whole quant, so nothing but f32's own rounding is left.
            for (found, expected) in portable.iter().zip(&reference) {
                assert!((found - expected).abs() <= 1e-5 * expected.abs().max(1e3), "{dtype}: {found}, not {expected}");
            }
        }
    }
}

#[test]
fn activations_are_rounded_to_the_nearest_quant() {
    let mut random = SplitMix64::new(3);
    for isa in Isa::available() {
        let mut data = floats(&mut random, 3 * 96, -2.0, 2.0);
        data[..32].fill(0.0);
        data[40] = 1e30;
        data[70] = -7.0;
        let x = Columns { data: &data, stride: 96, start: 0, width: 96 };
        let (mut quantised, mut portable) = (Quantised::default(), Quantised::default());
        quantised.set(isa, x, 3);
        portable.set(Isa::Portable, x, 3);
        assert_eq!((quantised.units(), quantised.tokens()), (3, 3));
        for (unit, token) in (0..3).flat_map(|unit| (0..3).map(move |token| (unit, token))) {
            let found = quantised.unit(unit)[token];
            assert_eq!(found, portable.unit(unit)[token], "{isa:?}");
            let values = &x.row(token)[32 * unit..][..32];
            for (&quant, value) in found.quants.iter().zip(values) {
                assert!((f32::from(quant) * found.scale - value).abs() <= 0.5001 * found.scale, "{isa:?}");
            }
            let sum = |half: usize| found.quants[16 * half..][..16].iter().map(|&q| i32::from(q)).sum::<i32>();
            assert_eq!(found.sums, [sum(0), sum(1)]);
        }
    }
}

fn close(name: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * expected.abs().max(1.0),
            "{name}, {i}: {found}, not {expected}"
        );
    }
}

#[test]
fn norms_agree() {
    let mut random = SplitMix64::new(4);
    for width in [1, 15, 16, 37, 768] {
        let (x, weight) = (floats(&mut random, 3 * width, -3.0, 3.0), floats(&mut random, width, 0.5, 1.5));
        let run = |isa: Isa| {
            let mut out = vec![0.0; 3 * width];
            isa.run(RmsNorm { x: &x, weight: &weight, eps: 1e-5, out: &mut out });
            out
        };
        let (portable, mut reference) = (run(Isa::Portable), vec![0.0; 3 * width]);
        kernels::rms_norm(&x, &weight, 1e-5, &mut reference);
        close(&format!("width {width}"), &portable, &reference, 1e-6);
        Isa::available().into_iter().for_each(|isa| assert_eq!(bits(&run(isa)), bits(&portable), "{width}, {isa:?}"));
    }
}

#[test]
fn convolutions_agree() {
    let mut random = SplitMix64::new(5);
    for (channels, d_conv, tokens) in [(1, 4, 3), (16, 4, 1), (70, 2, 5), (37, 1, 2), (100, 5, 2)] {
        let past = d_conv - 1;
        let x = floats(&mut random, tokens * 2 * channels, -2.0, 2.0);
        let x = Columns { data: &x, stride: 2 * channels, start: 0, width: channels };
        let taps = floats(&mut random, channels * d_conv, -1.0, 1.0);
        let bias = floats(&mut random, channels, -1.0, 1.0);
        let state = floats(&mut random, channels * past, -2.0, 2.0);
        let lane_taps = lanes::ChannelLayout::Transposed.apply(&taps, channels);
        let run = |isa: Isa| {
            let mut state =
                if past == 0 { Vec::new() } else { lanes::ChannelLayout::Transposed.apply(&state, channels) };
            let mut out = vec![0.0; tokens * channels];
            let parts = |buffer| ColumnsMut::new(buffer, channels).split_in_tiles(2);
            for (state, out) in parts(&mut state).into_iter().zip(parts(&mut out)) {
                isa.run(Conv1dSilu { x, tokens, taps: &lane_taps, bias: &bias, state, out });
            }
            (out, state)
        };
        let name = format!("{channels} channels, {d_conv} taps, {tokens} tokens");
        let (portable, portable_state) = run(Isa::Portable);
        let (mut out, mut left) = (vec![0.0; tokens * channels], state.clone());
        kernels::conv1d_silu(x, tokens, &taps, &bias, &mut left, &mut out);
        close(&name, &portable, &out, 2e-6);
        let left = if past == 0 { left } else { lanes::ChannelLayout::Transposed.apply(&left, channels) };
        assert_eq!(bits(&portable_state), bits(&left), "{name}");
        for isa in Isa::available() {
            let (out, state) = run(isa);
            assert_eq!((bits(&out), bits(&state)), (bits(&portable), bits(&portable_state)), "{name}, {isa:?}");
        }
    }
}

#[test]
fn scans_agree() {
    let mut random = SplitMix64::new(6);
    for (channels, d_state, tokens) in [(1, 16, 3), (16, 16, 1), (70, 3, 5), (33, 1, 2), (100, 8, 4)] {
        let mut make = |count, low, high| floats(&mut random, count, low, high);
        let (x, dt) = (make(tokens * channels, -2.0, 2.0), make(tokens * channels, -5.0, 25.0));
        let (dt_bias, d) = (make(channels, -9.0, 1.0), make(channels, -1.0, 1.0));
        let a = make(channels * d_state, -16.0, -0.1);
        let bc = make(tokens * 2 * d_state, -1.0, 1.0);
        let z = make(tokens * 2 * channels, -6.0, 6.0);
        let z = Columns { data: &z, stride: 2 * channels, start: channels, width: channels };
        let state = make(channels * d_state, -2.0, 2.0);
        let lane_a = lanes::ChannelLayout::Tiles.apply(&a, channels);
        let run = |isa: Isa| {
            let (mut state, mut out) =
                (lanes::ChannelLayout::Tiles.apply(&state, channels), vec![0.0; tokens * channels]);
            let mut states = &mut state[..];
            for out in ColumnsMut::new(&mut out, channels).split_in_tiles(2) {
                let state = states.split_off_mut(..16 * d_state * out.tiles().len()).unwrap();
                let (x, dt, dt_bias, a, d, bc) = (&x[..], &dt[..], &dt_bias[..], &lane_a[..], &d[..], &bc[..]);
                isa.run(SelectiveScan { x, dt, dt_bias, a, d, bc, z, tokens, state, out });
            }
            (out, state)
        };
        let name = format!("{channels} channels, {d_state} states, {tokens} tokens");
        let (portable, portable_state) = run(Isa::Portable);
        let (mut out, mut left) = (vec![0.0; tokens * channels], state.clone());
        let inputs = ScanInputs { x: &x, dt: &dt, dt_bias: &dt_bias, a: &a, d: &d, bc: &bc, z };
        kernels::selective_scan(inputs, tokens, &mut left, &mut out);
        // Sums of up to 16 states of size up to 50 each.
        close(&name, &portable, &out, 2e-4);
        close(&name, &portable_state, &lanes::ChannelLayout::Tiles.apply(&left, channels), 2e-5);
        for isa in Isa::available() {
            let (out, state) = run(isa);
            // Lanes without a channel hold what only their own kind reads: nothing to compare.
            assert_eq!((bits(&out), bits(&state)), (bits(&portable), bits(&portable_state)), "{name}, {isa:?}");
        }
    }
}
