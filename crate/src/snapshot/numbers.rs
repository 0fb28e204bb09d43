//! The numbers of a state as f16: a layer at a time, divided by a power of two that brings its greatest near the top of what
//! f16 holds, so that none overflows and small ones keep what bits they can.

use half::f16;

/// The greatest exponent of two that a scaled value reaches; f16 ends just below 2^16.
const TOP: i32 = 14;

/// The power of two to divide a layer by.
pub fn scale_of(layer: &[f32]) -> f32 {
    let greatest = layer.iter().filter(|x| x.is_finite()).fold(0.0f32, |m, x| m.max(x.abs()));
    if greatest == 0.0 {
        return 1.0;
    }
    // Both the scale and its inverse have to be normal numbers.
    let exponent = (greatest.log2().floor() as i32 - TOP).clamp(-126, 126);
    2f32.powi(exponent)
}

/// A layer as its scale and its halves, added to `out`.
pub fn write_halves(layer: &[f32], out: &mut Vec<u8>) {
    let scale = scale_of(layer);
    out.extend(scale.to_le_bytes());
    out.extend(layer.iter().flat_map(|x| f16::from_f32(x / scale).to_le_bytes()));
}

/// Takes halves back; the scale is the file's.
pub fn read_halves(halves: &[u8], scale: f32, out: &mut Vec<f32>) {
    out.extend(halves.chunks_exact(2).map(|pair| f16::from_le_bytes([pair[0], pair[1]]).to_f32() * scale));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_lose_an_eleventh_bit_and_no_more() {
        let layer: Vec<f32> =
            (0..2000).map(|i| ((i * 7919) % 2003) as f32 * 1e3 - 1e6).chain([0.0, 3e38, -1e-3]).collect();
        for layer in [&layer[..2000], &layer[..], &layer[2000..2001], &[1e-30, -2e-30]] {
            let mut bytes = Vec::new();
            write_halves(layer, &mut bytes);
            let scale = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let mut back = Vec::new();
            read_halves(&bytes[4..], scale, &mut back);
            let greatest = layer.iter().fold(0.0f32, |m, x| m.max(x.abs()));
            for (x, y) in layer.iter().zip(&back) {
                // Half a step of 11 bits; below 2^-14 of the scale, half a subnormal step.
                assert!((x - y).abs() <= x.abs() / 2048.0 + greatest * 2f32.powi(-38), "{x} came back as {y}");
            }
        }
    }
}
